"""What template.yaml declares, as far as this machine can run it."""
