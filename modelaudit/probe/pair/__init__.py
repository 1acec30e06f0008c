"""A model and its export, on the same inputs: whether they are the same, and if not, why."""
