"""MA305 to MA308, MA317, MA318 and MA329: last layers, and the losses and classes that they are for."""
