"""Arrays to numbers: numpy and scipy only, no I/O."""
