"""A message through Twilio and back, by the functions: answers, callbacks and status lookups."""

import json
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qs, urlencode

import pytest

from tests.layer.providers.twilio import signatures
from tests.support import api as support_api
from tests.support.api import CONTACT, CUSTOMER, NEW_SMS, call, deliver
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.delivery import let_pass
from tests.support.log_lines import Printed
from tests.support.tcp_server import read_request, serve

PUBLIC_URL = "https://api.example.com"
CREATED = {"sid": "SM9", "status": "queued"}
LOST = None
FIRST_LOOKUP = 16  # seconds
Answers = list[tuple[int, object] | None]


class Api:
    """Twilio's API: gives its answers in order. Closes the connection if the answer is LOST."""

    def __init__(self) -> None:
        self.answers: Answers = []
        self.requests: list[bytes] = []

    def __call__(self, client: socket.socket) -> None:
        self.requests.append(read_request(client))
        if answer := self.answers.pop(0):
            status, body = answer
            client.sendall(f"HTTP/1.1 {status} x\r\n\r\n{json.dumps(body)}".encode())

    @property
    def callback(self) -> str:
        """The status callback of the first message."""
        return parse_qs(self.requests[0].partition(b"\r\n\r\n")[2].decode())["StatusCallback"][0]


@pytest.fixture
def api(database: Database, aws: Aws, configure: Configure) -> Iterator[Api]:
    api = Api()
    with serve(api) as address:
        secret = {"account_sid": "AC1", "auth_token": signatures.TOKEN, "api_url": f"http://{address}"}
        configure(
            PROVIDERS="twilio-eu=twilio",
            PROVIDER_SECRET_ARN=aws.create_secret({"twilio-eu": secret}),
            PUBLIC_URL=PUBLIC_URL,
        )
        yield api


@pytest.fixture
def send(api: Api) -> Callable[..., None]:
    def send(*answers: tuple[int, object] | None) -> None:
        api.answers = list(answers)
        assert call("POST", support_api.SMS, NEW_SMS).status == 202
        assert deliver(1) == []

    return send


def called(url: str, **fields: str) -> support_api.Answer:
    """The response to Twilio if it calls this URL."""
    url = url.partition("#")[0]
    body = urlencode(fields).encode()
    return call("POST", url.removeprefix(PUBLIC_URL), body, signatures.form(url, body))


def reported(api: Api, word: str, **fields: str) -> support_api.Answer:
    return called(api.callback, MessageSid="SM9", MessageStatus=word, **fields)


def listing(*bodies: str) -> tuple[int, object]:
    common_fields = {"direction": "outbound-api", "from": CUSTOMER, "to": CONTACT, "num_media": "0"}
    created = format_datetime(datetime.now(UTC))
    messages = [
        {**common_fields, "sid": f"SM{9 - n}", "body": body, "date_created": created}
        for n, body in enumerate(bodies)
    ]
    return 200, {"messages": messages, "next_page_uri": None}


def test_a_message_is_sent_and_reported_and_answered(api: Api, send: Callable[..., None]) -> None:
    send((201, CREATED))
    assert api.callback == f"{PUBLIC_URL}/api/webhooks/sms/twilio-eu?reference=1#rc=5&rp=all"
    for word in ("sent", "delivered", "sent", "unheard-of"):
        answer = reported(api, word)
        assert (answer.status, answer.body) == (200, b"<Response/>")
        assert answer.headers["content-type"] == "text/xml"
    message = support_api.message(1)
    assert (message["status"], message["provider_message_id"]) == ("delivered", "SM9")
    contact = {"MessageSid": "SM" + "10" * 16, "From": CONTACT, "To": CUSTOMER, "Body": "Hi", "NumMedia": "0"}
    for _ in range(2):
        assert called(f"{PUBLIC_URL}/api/webhooks/sms/twilio-eu", **contact).body == b"<Response/>"
    thread = call("GET", "/api/conversations/1/messages").json["messages"]
    assert [(message["direction"], message["body"]) for message in thread] == [
        ("outbound", "Hello"),
        ("inbound", "Hi"),
    ]


def test_opting_out_is_recorded_and_no_phone_number_is_logged(
    send: Callable[..., None], printed: Printed
) -> None:
    send((400, {"code": 21610, "message": f"Attempt to send to unsubscribed recipient {CONTACT}"}))
    message = support_api.message(1)
    assert message["status"] == "failed"
    assert message["error"] == {"code": "21610", "reason": "Attempt to send to unsubscribed recipient …"}
    assert printed.metrics["OptedOut"] == [1]
    assert CONTACT not in printed.text
    assert "unsubscribed" not in printed.text


@pytest.mark.parametrize("word", ["queued", "sending", "sent"])
def test_a_callback_resolves_a_lost_answer(api: Api, send: Callable[..., None], word: str) -> None:
    send(LOST)
    assert support_api.message(1)["status"] == "unknown"
    assert reported(api, word).status == 200
    message = support_api.message(1)
    assert (message["status"], message["provider_message_id"]) == ("sent", "SM9")


@pytest.mark.parametrize(
    ("listed", "seconds", "expected"),
    [
        (["Hello"], FIRST_LOOKUP, ("sent", "SM9")),
        (["Hello", "other"], FIRST_LOOKUP, ("sent", "SM9")),
        (["Hello", "Hello"], FIRST_LOOKUP, ("unknown", None)),
        (["Hello", "Hello"], 600, ("unknown", None)),
        (["other"], FIRST_LOOKUP, ("unknown", None)),
        (["other"], 61, ("unknown", None)),
        (None, 61, ("unknown", None)),
    ],
)
def test_a_status_lookup_resolves_a_lost_answer(
    api: Api,
    send: Callable[..., None],
    database: Database,
    listed: list[str] | None,
    seconds: float,
    expected: tuple[str, str | None],
) -> None:
    send(LOST)
    answer = (503, {}) if listed is None else listing(*listed)
    let_pass(database, seconds)
    api.answers = [answer]
    assert deliver(1) == []
    message = support_api.message(1)
    assert (message["status"], message["provider_message_id"]) == expected
    assert len(api.requests) == 2
