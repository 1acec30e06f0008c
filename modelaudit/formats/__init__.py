"""Readers from files to facts. They do not import TensorFlow or run code; all reads are bounded."""
