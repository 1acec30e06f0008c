"""Repairing saved models: files that another version of Keras loads, proven equal."""
