"""What crosses HTTP: calls to vendors, webhook payloads, signatures, and redaction of vendors' texts."""
