"""architecture."""
