"""Facts to the sections of an audit, a module for each group of them in `audit_types`."""
