"""Auditing models on the nodes of a Ray cluster."""
