"""Code that runs in the isolated child, also under other interpreters."""
