"""MA4xx and MA5xx on stored values: what training and a complete restore leave, and the symmetry of filters."""
