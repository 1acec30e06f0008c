"""Results of earlier runs: the history of a registry, and the cache of audits."""
