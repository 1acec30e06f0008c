"""Measures of kernels and of batch normalisation statistics."""
