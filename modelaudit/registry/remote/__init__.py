"""Models at URLs: what must be read is copied into a bounded cache."""
