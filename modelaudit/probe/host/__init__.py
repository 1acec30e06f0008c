"""The supervisor's side of the probe: starting, limiting and questioning children."""
