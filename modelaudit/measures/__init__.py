"""Measures: from arrays to numbers, with numpy and scipy only and without I/O."""
