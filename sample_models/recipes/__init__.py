"""How each sample model came to be; `make.py` runs them all."""
