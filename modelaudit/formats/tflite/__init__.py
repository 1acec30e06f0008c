"""TensorFlow Lite models: FlatBuffers, read without generated code."""
