"""Audits to pages: renderers need only an `Audit`."""
