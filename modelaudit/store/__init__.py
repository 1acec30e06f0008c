"""What earlier runs found: the history of a registry, and what need not be looked at again."""
