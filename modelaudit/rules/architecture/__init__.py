"""MA3xx on layers before the last: windows, shapes, axes, normalizations, sequences."""
