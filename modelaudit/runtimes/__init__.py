"""What a given TensorFlow or Keras accepts."""
