"""Measuring a loaded model with probe inputs."""
