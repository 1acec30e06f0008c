"""Running models in isolation."""
