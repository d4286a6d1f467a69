"""What template.yaml declares, as far as a laptop can act on it."""
