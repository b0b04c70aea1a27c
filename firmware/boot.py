"""Runs first on the module; main.py follows. Nothing is powered here: the relay's pin is pulled down by hardware."""
