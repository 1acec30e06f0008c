"""The source code of a program's own classes, read as text: nothing of it is imported or run."""
