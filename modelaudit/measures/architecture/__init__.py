"""Measures of the saved architecture."""
