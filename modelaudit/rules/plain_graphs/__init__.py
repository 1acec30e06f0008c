"""The layers of models without a Keras config, read from the operations of their graph."""
