"""Collects a profile; run by the interpreter that it describes. See `collect.run`."""
