"""Running the model, in isolation."""
