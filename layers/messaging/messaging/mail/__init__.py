"""Email as it travels: MIME, charsets and addresses, in both directions."""
