"""Files that arrive inside webhooks, such as the attachments of an email.

They are stored in the media bucket under the hash of their content, before the message that has them is
committed.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from messaging.aws import boto_clients
from messaging.models import File
from messaging.problems import Unavailable
from messaging.settings import settings
from messaging.telemetry import logger

UPLOAD_BUDGET = 4.0  # seconds within which the upload of the last file must begin
PARALLEL_UPLOADS = 8
LINK_AGE = 900  # seconds that a download URL is valid

# A browser shows these and runs nothing in them. All other types are downloads.
_SAFE_PREFIXES = ("audio/", "image/", "video/")
_SAFE_TYPES = ("application/pdf", "text/plain")
_SCRIPTED_PREFIXES = ("image/svg",)
_DOWNLOAD_TYPE = "application/octet-stream"


def store_files(files: Sequence[File]) -> None:
    """Upload files to the media bucket. A file that is there already is written again with the same content.

    Raises Unavailable if the bucket does not take all of them in time.
    """
    if not files:
        return
    from concurrent.futures import ThreadPoolExecutor  # takes 3 ms to import, and few webhooks have files

    files_by_key = {file.key: file for file in files}
    client = boto_clients.s3()  # before the deadline: creating it takes a second of a cold start
    deadline = time.monotonic() + UPLOAD_BUDGET

    def upload(file: File) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError
        client.put_object(
            Bucket=settings().media_bucket, Key=file.key, Body=file.content, ContentType=_DOWNLOAD_TYPE
        )

    try:
        with ThreadPoolExecutor(PARALLEL_UPLOADS) as threads:
            list(threads.map(upload, files_by_key.values()))  # raises the first error
    except Exception as error:
        logger.warning("Media bucket unavailable", extra={"cause": type(error).__name__})
        raise Unavailable("The files cannot be stored now; try again.") from error


def download_url(attachment: Mapping[str, Any]) -> str:
    """Return the URL of an attachment: the provider's own, or one of our bucket that is valid for LINK_AGE.

    `attachment` is {"url"} or {"key", "name", "content_type", "size"}, as conversations.reads returns it. A
    file from our bucket is a download, and keeps its content type only if a browser runs nothing in it.
    """
    if url := attachment.get("url"):
        return str(url)
    content_type = attachment["content_type"]
    file_name = quote(attachment["name"], safe="")
    return boto_clients.s3().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": settings().media_bucket,
            "Key": attachment["key"],
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{file_name}",
            "ResponseContentType": content_type if _is_safe(content_type) else _DOWNLOAD_TYPE,
        },
        ExpiresIn=LINK_AGE,
    )


def _is_safe(content_type: str) -> bool:
    if content_type.startswith(_SCRIPTED_PREFIXES):
        return False
    return content_type.startswith(_SAFE_PREFIXES) or content_type in _SAFE_TYPES
