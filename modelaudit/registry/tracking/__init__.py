"""Models of an MLflow tracking server, by its REST API."""
