"""Measures of a model's behaviour on probe inputs."""
