"""SavedModels and SessionBundles."""
