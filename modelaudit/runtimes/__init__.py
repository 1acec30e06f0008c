"""What a given TensorFlow and Keras accept, and which of them load a model."""
