"""Reasons why a loading call fails or gives another model: one module for each kind."""
