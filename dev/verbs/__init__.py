"""Verbs of the `tandem` command beside those that start it; `cli.py` joins them."""
