"""What comes in: verified webhooks, stored once, with everything that they carry."""
