"""Reading zip archives without trusting their headers."""
