"""A fake server, and settings that lead to it."""

from tests.registry.tracking.served import layout, registry, settings

__all__ = ["layout", "registry", "settings"]
