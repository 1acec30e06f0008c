"""Hostile files by the hundred thousand: see README.md."""
