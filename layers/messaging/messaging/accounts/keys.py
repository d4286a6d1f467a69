"""API keys: `mk_<id>_<secret>`, of whose secret the database has the hash alone.

The secret is 256 random bits: to guess one is out of reach, so that a hash without a salt and without
slowness keeps it (https://pages.nist.gov/800-63-4/sp800-63b.html, look-up secrets).
"""

import re
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import NamedTuple

from messaging.models import MAX_ID
from messaging.postgres.database import call, run

_KEY = re.compile(r"Bearer mk_([1-9][0-9]{0,18})_([A-Za-z0-9_-]{43})", re.IGNORECASE | re.ASCII)

_FIND = (
    "SELECT account_id, scopes, hash, revoked_at IS NOT NULL AS revoked,"
    " coalesce(expires_at <= clock_timestamp(), false) AS expired,"
    " coalesce(last_used_at < clock_timestamp() - interval '1 minute', true) AS unnoted"
    " FROM api_keys WHERE id = $1"
)


class Found(NamedTuple):
    """What a key is good for, or why it is good for nothing."""

    id: int | None
    account: int | None = None
    scopes: tuple[str, ...] = ()
    refused: str | None = None


def secret() -> str:
    """43 characters of base64 for URLs, which a key ends in."""
    return token_urlsafe(32)


def hashed(secret: str) -> bytes:
    return sha256(secret.encode("ascii")).digest()


def authorize(header: str, source: str) -> Found:
    """Looks up the key of an Authorization header, and notes that it was used from `source`.

    Raises Unavailable where the database is away.
    """
    match = _KEY.fullmatch(header)
    if match is None or int(match[1]) > MAX_ID:
        return Found(None, refused="malformed")
    id = int(match[1])
    rows = run(_FIND, id)
    # Compared also where there is none: no answer is faster than another.
    [(account, scopes, kept, revoked, expired, unnoted)] = rows or [(0, (), bytes(32), False, False, False)]
    if not compare_digest(kept, hashed(match[2])) or not rows:
        return Found(id, refused="unknown")
    if revoked or expired:
        return Found(id, refused="revoked" if revoked else "expired")
    if unnoted:
        call("note_key_use", key=id, source=source)
    return Found(id, account, tuple(scopes))
