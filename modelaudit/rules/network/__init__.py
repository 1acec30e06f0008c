"""What several rules ask of a network: its heads, its losses, the values that it can give."""
