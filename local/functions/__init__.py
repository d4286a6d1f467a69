"""Runs the functions, each in processes of its own."""
