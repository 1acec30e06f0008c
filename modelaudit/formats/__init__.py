"""Bytes to facts. Never imports TensorFlow, never executes, every read is bounded."""
