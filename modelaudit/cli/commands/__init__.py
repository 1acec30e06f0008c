"""The commands: one module each, which parses options and prints."""
