"""Wording, units and rounding, shared by all report formats."""
