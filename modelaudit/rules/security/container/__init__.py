"""MA7xx: pickles, foreign content and threats in archives and HDF5 files."""
