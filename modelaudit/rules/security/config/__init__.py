"""MA7xx: code, paths and gadgets that a saved config can make a loader run or read."""
