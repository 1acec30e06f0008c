"""HTML and PDF pages."""
