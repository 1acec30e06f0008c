"""TensorFlow graphs: parsing, data flow and kernels."""
