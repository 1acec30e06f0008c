"""MA126, MA128, MA2xx and MA801 to MA803: what loads a model, and where it cannot be served."""
