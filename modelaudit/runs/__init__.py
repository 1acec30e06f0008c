"""Runs over many models: what the command line does, without its options and its printing."""
