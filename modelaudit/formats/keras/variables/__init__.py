"""Matching stored tensors to the variables of layers."""
