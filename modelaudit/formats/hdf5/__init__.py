"""Reading HDF5 files that may be damaged or hostile."""
