"""A layer's module."""

FAREWELL = "goodbye"
