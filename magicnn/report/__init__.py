"""Figures and the page that a person reads."""
