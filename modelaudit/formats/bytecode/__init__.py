"""Python bytecode, read without unmarshalling it."""
