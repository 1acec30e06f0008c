"""Coverage-guided fuzzing of the file readers: see README.md."""
