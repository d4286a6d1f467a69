"""Accounts, their addresses and keys, and the audit log."""
