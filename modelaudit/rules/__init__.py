"""Facts to findings, one module a family."""
