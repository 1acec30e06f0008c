"""Gradual changes of inputs, as augmentation layers make them, and what they cost."""
