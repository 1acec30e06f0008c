"""Reading TensorFlow.js models: a JSON file, and the files of weights that it names."""
