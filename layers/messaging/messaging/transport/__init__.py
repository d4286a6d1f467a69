"""HTTP: calls to providers, bodies of webhooks, signatures, and the redaction of providers' texts."""
