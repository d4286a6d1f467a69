"""API keys: `mk_<id>_<secret>`. The database has only the SHA-256 of the secret.

The secret is 256 random bits and cannot be guessed, so a fast hash without a salt is enough
(https://pages.nist.gov/800-63-4/sp800-63b.html, look-up secrets).
"""

import re
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import NamedTuple

from messaging.models import MAX_ID
from messaging.postgres.database import call, run

_BEARER = re.compile(r"Bearer mk_([1-9][0-9]{0,18})_([A-Za-z0-9_-]{43})", re.IGNORECASE | re.ASCII)

_GET = (
    "SELECT account_id, scopes, hash, revoked_at IS NOT NULL AS revoked,"
    " coalesce(expires_at <= clock_timestamp(), false) AS expired,"
    " coalesce(last_used_at < clock_timestamp() - interval '1 minute', true) AS last_use_outdated"
    " FROM api_keys WHERE id = $1"
)
_NO_KEY = (0, (), bytes(32), False, False, False)


class KeyCheck(NamedTuple):
    """The result of authorize."""

    id: int | None
    account: int | None = None
    scopes: tuple[str, ...] = ()
    rejected: str | None = None
    """Why the key is not valid: malformed, unknown, revoked or expired. None if it is valid."""


def generate_secret() -> str:
    """Return a new secret: 43 characters of URL-safe base64."""
    return token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """Return the hash of a secret, as the database stores it."""
    return sha256(secret.encode("ascii")).digest()


def authorize(header: str, source: str) -> KeyCheck:
    """Check the key of an Authorization header, and record that it was used from the IP address `source`.

    The use is recorded once a minute at most. Raises Unavailable if the database does not answer.
    """
    match = _BEARER.fullmatch(header)
    if match is None or int(match[1]) > MAX_ID:
        return KeyCheck(None, rejected="malformed")
    id = int(match[1])
    rows = run(_GET, id)
    # The hashes are compared even if there is no such key, so that both answers take the same time.
    account, scopes, stored_hash, revoked, expired, last_use_outdated = rows[0] if rows else _NO_KEY
    if not compare_digest(stored_hash, hash_secret(match[2])) or not rows:
        return KeyCheck(id, rejected="unknown")
    if revoked:
        return KeyCheck(id, rejected="revoked")
    if expired:
        return KeyCheck(id, rejected="expired")
    if last_use_outdated:
        call("record_key_use", key=id, source=source)
    return KeyCheck(id, account, tuple(scopes))
