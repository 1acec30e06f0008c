"""Registries of models: discovery, snapshots and output directories."""
