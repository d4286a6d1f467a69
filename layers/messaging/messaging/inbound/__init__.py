"""Inbound: receive verified webhooks and store each one once, with the messages and reports it carries."""
