"""Bounded reads of files, JSON and stored tensors, shared by all readers."""
