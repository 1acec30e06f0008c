"""Keeping runs in a history: one run, runs over shards, and one run made of them."""
