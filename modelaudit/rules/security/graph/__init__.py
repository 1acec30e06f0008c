"""MA7xx: operations of a graph that reach files or programs, or cost without bound."""
