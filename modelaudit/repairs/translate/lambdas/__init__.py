"""Lambda layers whose bytecode is one expression: reading it without running it."""
