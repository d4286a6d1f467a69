"""A mail through SendGrid and back, by the functions: its events, its status, and received mail."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.layer.providers.sendgrid import signatures
from tests.layer.providers.sendgrid.api import ACCEPTED, ID
from tests.layer.providers.sendgrid.test_contract import FORM
from tests.layer.providers.sendgrid.test_sendgrid_inbound import form
from tests.support import api as support_api
from tests.support.admin import make_account
from tests.support.api import NEW_EMAIL, call, deliver
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.log_lines import Printed
from tests.support.tcp_server import Script, read_request, serve

pytestmark = pytest.mark.slow

PAYLOADS = Path(__file__).parent / "payloads"
HOOK = "/api/webhooks/email/sendgrid-eu"
CONTACT, COPY = NEW_EMAIL["to"], "copy@example.org"


class Api:
    """SendGrid's API: gives the same answer to each request, and stores the mail."""

    def __init__(self) -> None:
        self.answer = ACCEPTED
        self.mails: list[Any] = []

    def __call__(self, client: socket.socket) -> None:
        self.mails.append(json.loads(read_request(client).partition(b"\r\n\r\n")[2]))
        client.sendall(self.answer)

    @property
    def arguments(self) -> dict[str, str]:
        """The custom arguments of the last mail, which SendGrid returns with each event."""
        arguments: dict[str, str] = self.mails[-1]["personalizations"][0]["custom_args"]
        return arguments


@pytest.fixture
def api(database: Database, aws: Aws, configure: Configure) -> Iterator[Api]:
    api = Api()
    script: Script = api
    with serve(script) as address:
        secret = {"api_key": "SG.secret", "public_key": signatures.PUBLIC_KEY, "api_url": f"http://{address}"}
        configure(
            PROVIDERS="sendgrid-eu=sendgrid", PROVIDER_SECRET_ARN=aws.create_secret({"sendgrid-eu": secret})
        )
        yield api


@pytest.fixture
def send(api: Api) -> Callable[..., None]:
    def send(answer: bytes = ACCEPTED, **fields: object) -> None:
        api.answer = answer
        assert call("POST", support_api.EMAIL, {**NEW_EMAIL, **fields}).status == 202
        assert deliver(1) == []

    return send


def post_events(api: Api, *events: dict[str, object]) -> support_api.Answer:
    """Post these events as one batch, each with the fields that every event has."""
    common_fields = {
        "email": CONTACT,
        "sg_message_id": f"{ID}.recvd-1-1.0",
        "timestamp": 1730469600,
        **api.arguments,
    }
    body = json.dumps([{**common_fields, **event} for event in events]).encode() + b"\r\n"
    return call("POST", HOOK, body, signatures.headers(body))


def mailed(body: bytes) -> support_api.Answer:
    return call("POST", HOOK, body, {"content-type": FORM, **signatures.headers(body)})


def test_a_mail_is_sent_and_reported_on(api: Api, send: Callable[..., None]) -> None:
    send()
    for event, status in (
        ("processed", "sent"),
        ("deferred", "sent"),
        ("delivered", "delivered"),
        ("processed", "delivered"),
        ("open", "read"),
        ("spamreport", "read"),
    ):
        answer = post_events(api, {"event": event})
        assert (answer.status, answer.body) == (200, b"")
        assert support_api.message(1)["status"] == status
    assert support_api.message(1)["provider_message_id"] == ID


def test_a_report_about_a_copy_is_an_event_of_the_message(api: Api, send: Callable[..., None]) -> None:
    send(cc=[COPY])
    post_events(
        api,
        {"event": "delivered"},
        {"event": "bounce", "email": COPY, "status": "5.1.1", "reason": f"550 <{COPY}> is unknown"},
    )
    message = support_api.message(1)
    assert (message["status"], message["error"]) == ("delivered", None)
    assert [(event["code"], event["reason"]) for event in message["events"] if event["code"]] == [
        ("copy_bounce", "550 <<address>> is unknown")
    ]
    post_events(api, {"event": "bounce", "status": "5.2.2", "reason": "552 full"})
    assert support_api.message(1)["error"] == {"code": "5.2.2", "reason": "552 full"}


def test_an_event_resolves_a_lost_answer(api: Api, send: Callable[..., None]) -> None:
    send(answer=b"")
    assert support_api.message(1)["status"] == "unknown"
    post_events(api, {"event": "processed"})
    message = support_api.message(1)
    assert (message["status"], message["provider_message_id"]) == ("sent", ID)


def test_the_readable_parts_of_a_batch_are_stored(
    api: Api, send: Callable[..., None], database: Database, printed: Printed
) -> None:
    send()
    bad: dict[str, object] = {"event": ""}
    change: dict[str, object] = {"event": "account_status_change", "type": "compliance_suspend"}
    assert post_events(api, {"event": "processed"}, bad, change, {"event": "delivered"}).status == 200
    assert support_api.message(1)["status"] == "delivered"
    assert database.rows("SELECT fault FROM webhook_requests") == [["Invalid: event"]]
    assert printed.metrics["WebhooksUnreadable"] == [1]


@pytest.mark.usefixtures("api")
def test_a_mail_to_too_many_recipients_is_listed_without_an_alarm(
    database: Database, printed: Printed
) -> None:
    body = (PAYLOADS / "inbound_text.form").read_bytes()
    recipients = json.dumps([f"u{n}@example.com" for n in range(120)]).encode()
    assert mailed(body.replace(b'["user@example.com"]', recipients)).status == 200
    assert database.value("SELECT count(*) FROM messages") == 100
    [listed] = call("GET", "/api/admin/unread-webhooks").json["unread_webhooks"]
    assert (listed["kind"], listed["fault"]) == ("over_limit", "OverLimit: to")
    assert printed.metrics["WebhooksOverLimit"] == [1]
    assert "WebhooksUnreadable" not in printed.metrics
    assert not [line for line in printed.logs if line["level"] == "ERROR"]


@pytest.mark.usefixtures("api")
def test_a_late_bounce_that_names_no_message_is_no_fault(database: Database, printed: Printed) -> None:
    """SendGrid sends it without an id if a mail server refuses a mail after it has accepted it."""
    for id in ("", None):
        bounce = {"event": "bounce", "email": CONTACT, "timestamp": 1730469600.5, "sg_message_id": id}
        body = json.dumps([bounce]).encode()
        assert call("POST", HOOK, body, signatures.headers(body)).status == 200
    assert database.rows("SELECT DISTINCT fault FROM webhook_requests") == [[None]]
    assert database.value("SELECT count(*) FROM pending_reports") == 0
    assert printed.metrics == {"ReportsUnmatched": [1, 1]}


def test_events_of_another_deployment_are_only_stored_as_requests(
    api: Api, send: Callable[..., None], database: Database
) -> None:
    """Deployments that share an account receive each other's events, with the same message ids."""
    send(answer=b"")
    assert post_events(api, {"event": "delivered", "instance": "staging"}).status == 200
    assert support_api.message(1)["status"] == "unknown"
    assert database.rows("SELECT count(*) FROM pending_reports") == [[0]]


def test_a_stored_refusal_does_not_contain_an_address(
    api: Api, send: Callable[..., None], printed: Printed
) -> None:
    body = json.dumps({"errors": [{"message": f"{CONTACT} is not valid", "field": "to"}]}).encode()
    send(b"HTTP/1.1 400 x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    message = support_api.message(1)
    assert message["error"] == {"code": "400", "reason": "to: <address> is not valid"}
    assert CONTACT not in printed.text


def test_a_mail_is_stored_once_for_each_of_our_addresses(api: Api, database: Database) -> None:
    body = (PAYLOADS / "inbound_recipients.form").read_bytes()
    again = body.replace(b"xYzZY", b"aBcDe")
    for sent, content_type in ((body, FORM), (body, FORM), (again, FORM.replace("xYzZY", "aBcDe"))):
        headers = {"content-type": content_type, **signatures.headers(sent)}
        assert call("POST", HOOK, sent, headers).status == 200
    stored_ids = {id for [id] in database.rows("SELECT id_at_provider(m) FROM messages m")}
    assert stored_ids == {
        f"message-1@example.org/732b3589ad2d55b0ffc9260c145c350a1b94fc3a/{recipient}"
        for recipient in ("user@example.com", "nobody", "sales@example.com")
    }
    assert database.rows("SELECT count(*) FROM messages") == [[3]]


@pytest.mark.parametrize("payload", ["inbound_raw_iso_2022_jp", "inbound_windows_1252", "inbound_html"])
def test_a_mail_is_shown_in_its_conversation(api: Api, payload: str) -> None:
    assert mailed((PAYLOADS / f"{payload}.form").read_bytes()).status == 200
    [message] = call("GET", "/api/conversations/1/messages").json["messages"]
    assert (message["from"], message["to"]) == ("contact@example.org", "user@example.com")
    assert message["subject"] in ("件名です", "Café – 5 €", "Grüße aus Köln 🎉")  # noqa: RUF001


@pytest.mark.parametrize("payload", sorted(PAYLOADS.iterdir()), ids=lambda payload: payload.name)
def test_an_unsigned_mail_is_not_stored(api: Api, database: Database, payload: Path) -> None:
    body = payload.read_bytes()
    signed = signatures.headers(body, key=signatures.OTHER_KEY)
    for headers in ({}, signed):
        kind = FORM if payload.suffix == ".form" else "application/json"
        assert call("POST", HOOK, body, {"content-type": kind, **headers}).status == 403
    assert database.rows("SELECT count(*) FROM webhook_requests") == [[0]]


@pytest.mark.parametrize(
    ("sender", "reply_to", "shown", "defects"),
    [
        pytest.param("forms@example.com", CONTACT, CONTACT, ["sender_from_reply_to"], id="form"),
        pytest.param("forms@example.com", "", "forms@example.com", None, id="no other person"),
        pytest.param("other@example.com", CONTACT, "other@example.com", None, id="another account's address"),
        pytest.param("ann@example.net", CONTACT, "ann@example.net", None, id="nobody's address"),
    ],
)
def test_a_form_with_another_address_of_the_account_is_from_the_person_in_reply_to(
    api: Api, database: Database, sender: str, reply_to: str, shown: str, defects: list[str] | None
) -> None:
    database.rows("DELETE FROM account_addresses")
    make_account("one", "user@example.com", "forms@example.com")
    make_account("two", "other@example.com")
    mail = f"From: Form <{sender}>\r\nReply-To: Ann <{reply_to}>\r\nSubject: Hi\r\n\r\nHello"
    envelope = json.dumps({"from": sender, "to": ["user@example.com"]})
    body = form(email=mail, envelope=envelope)
    for _ in range(2):
        assert mailed(body).status == 200
    [[contact, name, extra]] = database.rows(
        "SELECT contact_address, from_name, extra"
        " FROM messages JOIN conversations c ON c.id = conversation_id"
    )
    extra = dict(extra or {})  # type: ignore[call-overload]
    assert (contact, extra.get("defects")) == (shown, defects)
    assert (name, extra.get("from")) == (("Ann", f"Form <{sender}>") if defects else ("Form", None))
