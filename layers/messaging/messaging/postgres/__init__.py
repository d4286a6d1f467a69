"""Postgres: one round trip per statement, one connection per environment, and cursors for keyset paging."""
