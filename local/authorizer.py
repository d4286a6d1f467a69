"""Who a request is from, as the HTTP API tells a function."""

from collections.abc import Mapping

OPERATOR: Mapping[str, str] = {"account": "1", "scopes": "admin read send", "key": "0"}
"""Whoever sits here, where no authorizer is asked: the first account, and all that one may do."""
