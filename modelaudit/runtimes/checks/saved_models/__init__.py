"""Checks of what a SavedModel holds: its signatures, exports, graphs and Lambda layers."""
