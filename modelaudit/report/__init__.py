"""Reports: renderers that need only an `Audit`."""
