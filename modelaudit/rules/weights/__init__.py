"""MA401 to MA406, MA419 to MA421, MA441 and MA5xx: stored values that training and a restore leave, and symmetric filters."""
