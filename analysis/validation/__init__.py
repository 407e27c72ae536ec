"""Checks of the simulation against theory and against CORSIKA, as functions that return numbers."""
