"""Are these the same weights? Two sides compared tensor by tensor, and what was done to each."""
