"""Many models: finding them, auditing them side by side, remembering them."""
