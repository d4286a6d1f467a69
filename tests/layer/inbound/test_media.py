"""Files inside webhooks: stored once, before their message, and not lost during an outage."""

import base64
import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from messaging.aws import boto_clients
from messaging.inbound import media, replay, spool
from messaging.inbound import receive as inbound_receive
from messaging.inbound.store import Selector
from messaging.models import Channel, File, InboundMessage
from messaging.postgres import database as product
from messaging.problems import Unavailable
from messaging.providers import REGISTRY, json_gateway
from messaging.providers.provider import Webhook, WebhookResponse
from messaging.transport.payload import json_object
from tests.support import api
from tests.support.api import INBOUND_EMAIL, call
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.tcp_server import Script, hang, reset, respond, serve

pytestmark = pytest.mark.slow

UNREACHABLE = "postgresql://nobody:nothing@127.0.0.1:9/nowhere?sslmode=disable"
FILES = "SELECT attachments FROM messages ORDER BY id"


class EmailWithFiles(json_gateway.Email):
    """The built-in email provider, with files."""

    def parse(self, webhook: Webhook) -> Sequence[Any]:
        files = [
            File(name=name, content_type=kind, content=base64.b64decode(content))
            for name, kind, content in json_object(webhook.body).get("files", [])
        ]
        parts = super().parse(webhook)
        return [
            part.model_copy(update={"files": files, "extra": {}})
            for part in parts
            if isinstance(part, InboundMessage)
        ]


@pytest.fixture(autouse=True)
def _email_with_files(monkeypatch: pytest.MonkeyPatch, providers: object, database: Database) -> None:
    monkeypatch.setitem(REGISTRY, "email", EmailWithFiles)


def body(*files: tuple[str, str, bytes], id: str = "message-1", **fields: object) -> bytes:
    written = [[name, kind, base64.b64encode(content).decode()] for name, kind, content in files]
    return json.dumps({**INBOUND_EMAIL, "xillio_id": id, "files": written} | fields).encode()


def receive(brought: bytes) -> WebhookResponse:
    webhook = Webhook("https://example.com/", "", api.signed(brought), brought)
    return inbound_receive.receive(Channel.EMAIL, "email", webhook)


def stored_message(answer: WebhookResponse) -> Any:
    assert answer.status == 200
    return json.loads(answer.body)


PNG = ("a.png", "image/png", b"\x89PNG")
TEXT = ("b.txt", "text/plain", b"b")


def test_files_follow_the_urls_and_are_objects_of_the_bucket(aws: Aws, database: Database) -> None:
    url = "https://example.com/received.pdf"
    message = stored_message(receive(body(PNG, TEXT, attachments=[url])))
    assert message["attachments"] == [url, "/api/messages/1/attachments/2", "/api/messages/1/attachments/3"]
    keys = [sha256(content).hexdigest() for _, _, content in (PNG, TEXT)]
    assert database.value(FILES) == [
        {"url": url},
        {"key": keys[0], "name": "a.png", "content_type": "image/png", "size": 4},
        {"key": keys[1], "name": "b.txt", "content_type": "text/plain", "size": 1},
    ]
    assert [aws.read_object(aws.media, key) for key in keys] == [PNG[2], TEXT[2]]


def test_the_same_content_is_one_object(aws: Aws, database: Database) -> None:
    for id in ("message-1", "message-1", "message-2"):
        receive(body(PNG, PNG, id=id))
    replay.replay(Selector(Channel.EMAIL, provider="email"), 0, lambda: 30)
    assert len(aws.list_keys(aws.media)) == 1
    assert [len(row[0]) for row in database.rows(FILES) if isinstance(row[0], list)] == [2, 2]


def test_a_hundred_files_are_stored(aws: Aws) -> None:
    assert (
        len(
            stored_message(receive(body(*(("a", "text/plain", b"%d" % n) for n in range(100)))))[
                "attachments"
            ]
        )
        == 100
    )
    assert len(aws.list_keys(aws.media)) == 100


def test_an_unsigned_webhook_stores_no_file(aws: Aws) -> None:
    assert call("POST", "/api/webhooks/email", body(PNG)).status == 403
    assert aws.list_keys(aws.media) == []


def test_a_message_is_spooled_if_its_files_cannot_be_stored(
    aws: Aws, database: Database, configure: Configure
) -> None:
    configure(MEDIA_BUCKET="nowhere")
    assert receive(body(PNG)).status == 202
    assert database.value("SELECT count(*) FROM messages") == 0
    [record] = aws.receive_spooled()
    with pytest.raises(Unavailable):
        inbound_receive.store_spooled(spool.parse_record(record["body"]))
    configure(MEDIA_BUCKET=aws.media)
    inbound_receive.store_spooled(spool.parse_record(record["body"]))
    assert database.value("SELECT count(*) FROM messages") == 1
    assert len(aws.list_keys(aws.media)) == 1


def test_files_are_spooled_with_their_request_while_the_database_is_unavailable(
    aws: Aws, database: Database, configure: Configure
) -> None:
    product.disconnect()
    configure(DATABASE_URL=UNREACHABLE)
    assert receive(body(PNG)).status == 202
    configure(DATABASE_URL=database.url)
    [record] = aws.receive_spooled()
    inbound_receive.store_spooled(spool.parse_record(record["body"]))
    assert len(aws.list_keys(aws.media)) == 1
    assert database.value("SELECT count(*) FROM messages") == 1


def test_without_a_bucket_only_messages_without_files_are_stored(configure: Configure) -> None:
    configure(MEDIA_BUCKET="")
    assert stored_message(receive(body()))["attachments"] == []
    with pytest.raises(Unavailable):
        media.store_files([File(name="a", content_type="b/c", content=b"")])


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(reset, id="resets"),
        pytest.param(hang, id="hangs"),
        pytest.param(respond(b"HTTP/1.1 503 x\r\nContent-Length: 4\r\n\r\nbusy"), id="is busy"),
        pytest.param(respond(b"HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\n{}"), id="refuses"),
    ],
)
def test_a_failing_bucket_costs_a_few_seconds_for_any_number_of_files(
    aws_at: Callable[[str], None], script: Script
) -> None:
    files = [File(name="a", content_type="b/c", content=b"%d" % n) for n in range(100)]
    with serve(script) as address:
        aws_at(f"http://{address}")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            media.store_files(files)
        assert time.monotonic() - began < 9


# --- Links -------------------------------------------------------------------------------------------


def link(name: str = "a.png", kind: str = "image/png") -> dict[str, list[str]]:
    url = media.download_url({"key": "key", "name": name, "content_type": kind, "size": 1})
    return parse_qs(urlsplit(url).query)


def test_a_download_url_is_valid_for_15_minutes() -> None:
    params = link()
    assert params["X-Amz-Expires"] == ["900"]
    assert params["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert (
        abs(
            datetime.strptime(params["X-Amz-Date"][0] + "+0000", "%Y%m%dT%H%M%SZ%z").timestamp() - time.time()
        )
        < 60
    )


def test_a_download_url_has_the_host_of_the_bucket(configure: Configure) -> None:
    configure(AWS_DEFAULT_REGION="eu-central-1", MEDIA_BUCKET="files")
    boto_clients.s3.cache_clear()
    url = urlsplit(media.download_url({"key": "key", "name": "a", "content_type": "a/b", "size": 1}))
    assert (url.netloc, url.path) == ("files.s3.eu-central-1.amazonaws.com", "/key")
    boto_clients.s3.cache_clear()


@pytest.mark.parametrize(
    ("kind", "served"),
    [
        ("image/png", "image/png"),
        ("application/pdf", "application/pdf"),
        ("text/plain", "text/plain"),
        ("audio/ogg", "audio/ogg"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("application/javascript", "application/octet-stream"),
        ("application/xhtml+xml", "application/octet-stream"),
    ],
)
def test_a_type_that_a_browser_may_execute_is_served_as_a_download(kind: str, served: str) -> None:
    assert link(kind=kind)["response-content-type"] == [served]


@pytest.mark.parametrize(
    "name", ["a.png", 'a"; filename="b.exe', "a\r\nSet-Cookie: b", "\u65e5\u672c.png", "a%b'c"]
)
def test_a_file_keeps_its_name_whatever_characters_it_has(name: str) -> None:
    [disposition] = link(name)["response-content-disposition"]
    kind, _, quoted = disposition.partition("; filename*=UTF-8''")
    assert kind == "attachment"
    assert quoted.isascii()
    assert not set(quoted) & set(" \"';\r\n")
