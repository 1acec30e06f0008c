"""Runs over many models: what the command line does, without options and printing."""
