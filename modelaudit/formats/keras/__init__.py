"""Keras configs, HDF5 files and .keras archives, and the match of weights to layers."""
