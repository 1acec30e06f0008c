"""Registries of models: discovery, parallel workers, snapshots and output directories."""
