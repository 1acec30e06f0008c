"""MA319 to MA321, MA323, MA430 to MA440 and MA442: compile settings, and what training left in a file."""
