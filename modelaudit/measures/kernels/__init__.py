"""Measures of kernels and of batch normalization statistics."""
