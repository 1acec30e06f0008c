"""Weights that loaders find by their order, which differs between versions of Keras."""
