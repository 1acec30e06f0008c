"""MA319 to MA323 and MA430 to MA442: compile settings, and what training left in a file."""
