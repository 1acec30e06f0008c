"""Classes of the program's own: what the file and, where it is given, their code tells of them."""
