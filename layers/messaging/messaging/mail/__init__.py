"""Emails: charsets, MIME and addresses, parsed from inbound mails and prepared for outbound ones."""
