"""Recipes of the sample models, one module for each writer; `make.py` runs them all."""
