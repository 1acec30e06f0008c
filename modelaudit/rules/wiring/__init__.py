"""Rules on how inputs reach the layers that read them."""
