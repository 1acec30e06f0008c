"""Reading tar archives without trusting their headers."""
