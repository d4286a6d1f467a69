"""Files that came inside webhooks: in a bucket, each once, before the message that has them is committed."""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from messaging.aws import boto_clients
from messaging.models import File
from messaging.problems import Unavailable
from messaging.settings import settings
from messaging.telemetry import logger

BUDGET = 4.0  # seconds in which the last file has to be begun
AT_ONCE = 8
LINK_AGE = 900  # seconds

_SHOWN = ("audio/", "image/", "video/")
_SHOWN_TOO = ("application/pdf", "text/plain")
_SCRIPTED = ("image/svg",)
_OTHER = "application/octet-stream"


def keep(files: Sequence[File]) -> None:
    """What is kept already stays as it is. Raises Unavailable where the bucket does not take all of them."""
    if not files:
        return
    from concurrent.futures import ThreadPoolExecutor  # 3 ms, and few webhooks have a file

    each = {file.key: file for file in files}
    client = boto_clients.s3()  # a second of a cold start, for which the bucket is not to blame
    deadline = time.monotonic() + BUDGET

    def put(key: str) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError
        client.put_object(Bucket=settings().media_bucket, Key=key, Body=each[key].content, ContentType=_OTHER)

    try:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _ in threads.map(put, each):
                pass
    except Exception as error:
        logger.warning("The bucket of files is away", extra={"cause": type(error).__name__})
        raise Unavailable("The files cannot be kept now; try again.") from error


def link(kept: Mapping[str, Any]) -> str:
    """Where an attachment lies: at its own URL, or for LINK_AGE in our bucket, to be saved and not shown."""
    if url := kept.get("url"):
        return str(url)
    kind = kept["content_type"]
    plain = (kind.startswith(_SHOWN) and not kind.startswith(_SCRIPTED)) or kind in _SHOWN_TOO
    return boto_clients.s3().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": settings().media_bucket,
            "Key": kept["key"],
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(kept['name'], safe='')}",
            "ResponseContentType": kind if plain else _OTHER,
        },
        ExpiresIn=LINK_AGE,
    )
