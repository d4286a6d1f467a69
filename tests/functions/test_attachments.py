"""GET /api/messages/{id}/attachments/{number}: redirects to the provider's URL, or to a stored file."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from messaging.inbound import media, store
from messaging.mail import inbound
from messaging.mail import message as mails
from messaging.models import File, InboundMessage
from tests.support import messages
from tests.support.api import call
from tests.support.aws import Aws
from tests.support.database import Database

URL = "https://example.com/a%20b.jpg?signed=1%2B1"

pytestmark = [pytest.mark.usefixtures("providers", "database"), pytest.mark.slow]


@pytest.fixture
def message_with_attachments(aws: Aws, database: Database) -> None:
    """A message with an attachment at a URL, and one that arrived inside its webhook."""
    files = [File(name="\u00e9.png", content_type="image/png", content=b"\x89PNG")]
    media.store_files(files)
    store.store_request(messages.request(), [messages.inbound(attachments=[URL], files=files)])


@pytest.mark.usefixtures("message_with_attachments")
def test_an_attachment_with_a_url_redirects_to_it() -> None:
    shown = call("GET", "/api/messages/1").json["attachments"]
    assert shown == [URL, "/api/messages/1/attachments/2"]
    first = call("GET", "/api/messages/1/attachments/1")
    assert (first.status, first.headers["location"], first.body) == (302, URL, b"")


@pytest.mark.usefixtures("message_with_attachments")
def test_a_stored_file_redirects_to_a_signed_download_url(aws: Aws) -> None:
    answer = call("GET", "/api/messages/1/attachments/2")
    assert (answer.status, answer.headers["cache-control"]) == (302, "no-store")
    link = urlsplit(answer.headers["location"])
    assert link.path.rpartition("/")[2] == aws.list_keys(aws.media)[0]
    assert "response-content-disposition=attachment" in link.query


@pytest.mark.usefixtures("message_with_attachments")
@pytest.mark.parametrize("path", ["1/attachments/3", "1/attachments/1000", "2/attachments/1"])
def test_another_number_or_message_is_a_404(path: str) -> None:
    answer = call("GET", f"/api/messages/{path}")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.usefixtures("message_with_attachments")
@pytest.mark.parametrize("number", ["0", "-1", "1001", "x", "1.5"])
def test_an_invalid_number_is_a_422(number: str) -> None:
    answer = call("GET", f"/api/messages/1/attachments/{number}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "number")


def test_an_inline_image_is_found_by_its_content_id(database: Database, aws: Aws) -> None:
    raw = b"""From: a@example.com\r\nContent-Type: multipart/related; boundary=b\r\n
--b\r\nContent-Type: text/html\r\n\r\n<img src="cid:logo@example.com">\r
--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=note.txt\r\n\r\nnote\r
--b\r\nContent-Type: image/png; name=logo.png\r\nContent-ID: <logo@example.com>\r\n\r\nlogo\r
--b--\r\n"""
    [mail] = inbound.inbound_messages(mails.parse_mail(raw), ["b@example.com"], datetime.now(UTC))
    assert isinstance(mail, InboundMessage)
    media.store_files(mail.files)
    store.store_request(messages.request(), [mail])
    shown = call("GET", "/api/messages/1").json
    number = shown["content_ids"]["logo@example.com"]
    assert shown["attachments"][number - 1] == f"/api/messages/1/attachments/{number}"
    assert "logo.png" in call("GET", f"/api/messages/1/attachments/{number}").headers["location"]


def test_an_attachment_of_an_outbound_message_redirects_to_its_url(database: Database) -> None:
    messages.accept(messages.sms(type="mms", attachments=[URL]))
    assert call("GET", "/api/messages/1/attachments/1").headers["location"] == URL


def test_only_get_is_allowed() -> None:
    answer = call("DELETE", "/api/messages/1/attachments/1")
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
