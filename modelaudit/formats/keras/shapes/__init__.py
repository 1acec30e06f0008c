"""Static shape inference for Keras layers and operations."""
