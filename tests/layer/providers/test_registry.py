"""A provider is added with one class and one line in the registry, and nothing else."""

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from local.simulators.provider import ProviderSimulator
from messaging import providers
from messaging.models import Channel
from messaging.problems import NotFound, Unavailable
from messaging.providers import json_gateway
from messaging.settings import InvalidSetting
from tests.support import api
from tests.support.api import CONTACT, CUSTOMER, NEW_EMAIL, NEW_SMS, call, deliver
from tests.support.aws import Aws
from tests.support.configuration import SIGNING_SECRET, Configure
from tests.support.database import Database
from tests.support.providers.example_provider import ExampleProvider
from tests.support.tcp_server import read_request, serve


@pytest.fixture
def sent(
    monkeypatch: pytest.MonkeyPatch, aws: Aws, database: Database, configure: Configure
) -> Iterator[list[bytes]]:
    """The requests that the vendor received. The deployment's only provider is not part of the product."""
    received: list[bytes] = []

    def vendor(client: socket.socket) -> None:
        received.append(read_request(client).partition(b"\r\n\r\n")[2])
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\nOK example-9")

    monkeypatch.setitem(providers.REGISTRY, "example", ExampleProvider)
    with serve(vendor) as address:
        secret = aws.create_secret({"example-eu": {"url": f"http://{address}/", "key": "key"}})
        configure(PROVIDERS="example-eu=example", PROVIDER_SECRET_ARN=secret)
        yield received


def tell(route: str, **payload: object) -> api.Answer:
    body = json.dumps(payload).encode()
    signature = hmac.new(b"key", body, hashlib.sha256).hexdigest()
    return call("POST", route, body, {"x-example-signature": signature})


def test_an_added_provider_sends_receives_and_reports(
    sent: list[bytes], database: Database, aws: Aws
) -> None:
    accepted = call("POST", api.SMS, NEW_SMS)
    assert (accepted.status, accepted.json["provider"]) == (202, "example-eu")
    [dispatch] = aws.receive_queued()
    assert deliver(dispatch["Body"]) == []
    assert parse_qs(sent[0].decode()) == {
        "dst": [CONTACT],
        "src": [CUSTOMER],
        "text": ["Hello"],
        "ref": ["1"],
    }
    assert api.message(1)["status"] == "sent"

    inbound = {"id": "in-1", "src": CONTACT, "dst": CUSTOMER, "text": "in"}
    for _ in range(2):  # a provider may repeat a webhook
        answer = tell(
            "/api/webhooks/sms/example-eu",
            received=[inbound],
            reports=[{"id": "example-9", "ref": 1, "state": "done"}],
        )
        assert (answer.status, answer.body) == (200, b'<thanks for="2"/>')
        assert answer.headers["content-type"] == "application/xml"

    message = api.message(1)
    assert (message["status"], message["provider_message_id"]) == ("delivered", "example-9")
    [conversation] = call("GET", "/api/conversations").json["conversations"]
    assert conversation["last_message"] == {"id": 2, "type": "sms", "direction": "inbound", "preview": "in"}
    thread = call("GET", "/api/conversations/1/messages").json["messages"]
    assert [(message["direction"], message["provider"]) for message in thread] == [
        ("outbound", "example-eu"),
        ("inbound", "example-eu"),
    ]
    assert database.value("SELECT count(*) FROM contacts") == 1


@pytest.mark.usefixtures("sent")
def test_the_limits_of_an_added_provider_are_checked(database: Database) -> None:
    for route, fields, field in (
        (api.SMS, {**NEW_SMS, "body": "x" * 161}, "body"),
        (api.SMS, {**NEW_SMS, "type": "mms", "attachments": ["https://example.com/i.jpg"]}, "type"),
        (api.EMAIL, NEW_EMAIL, "type"),
    ):
        refused = call("POST", route, fields)
        assert (refused.status, refused.fields) == (422, [field])
    assert database.value("SELECT count(*) FROM messages") == 0


@pytest.mark.usefixtures("sent")
def test_an_added_provider_only_accepts_requests_that_it_verifies(database: Database) -> None:
    inbound = {"received": [{"id": "in-1", "src": CONTACT, "dst": CUSTOMER, "text": "in"}]}
    for headers in ({}, {"x-example-signature": "00"}, api.signed(inbound)):
        assert call("POST", "/api/webhooks/sms/example-eu", inbound, headers).status == 403
    assert tell("/api/webhooks/email/example-eu", **inbound).status == 404
    assert tell("/api/webhooks/sms/example", **inbound).status == 404
    assert tell("/api/webhooks/sms", **inbound).status == 404  # the JSON gateways are not in this deployment
    assert database.value("SELECT count(*) FROM messages") == 0


def test_nothing_depends_on_the_name_of_a_provider(
    monkeypatch: pytest.MonkeyPatch,
    database: Database,
    aws: Aws,
    provider_simulator: ProviderSimulator,
    configure: Configure,
) -> None:
    """The built-in providers work under any other names of type and instance."""
    for name in list(providers.REGISTRY):
        monkeypatch.setitem(providers.REGISTRY, f"renamed-{name}", providers.REGISTRY[name])
        monkeypatch.delitem(providers.REGISTRY, name)
    fields = {
        name: {"url": f"{provider_simulator.url}/{path}", "signing_secret": SIGNING_SECRET}
        for name, path in (("phones", "sms"), ("mails", "email"))
    }
    configure(
        PROVIDERS="phones=renamed-sms,mails=renamed-email", PROVIDER_SECRET_ARN=aws.create_secret(fields)
    )
    for id, route, new, name, inbound in (
        (1, api.SMS, NEW_SMS, "phones", api.INBOUND_SMS),
        (3, api.EMAIL, NEW_EMAIL, "mails", api.INBOUND_EMAIL),
    ):
        assert call("POST", route, new).json["provider"] == name
        assert deliver(id) == []
        webhook = f"{route.replace('messages', 'webhooks')}/{name}"
        for payload in ({"reference": str(id), "status": "delivered"}, inbound):
            assert call("POST", webhook, payload, api.signed(payload)).status == 200
        assert api.message(id)["status"] == "delivered"
    assert call("GET", "/api/conversations/1/messages").json["messages"][1]["provider"] == "phones"


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"PROVIDERS": "sms,emial"}, "PROVIDERS: 'emial' is of the type 'emial'; the types are "),
        ({"PROVIDERS": "sms,email,sms"}, "PROVIDERS: must not name an instance twice; for two "),
        ({"PROVIDERS": "sms-eu=smss"}, "PROVIDERS: 'sms-eu' is of the type 'smss'; the types are "),
        (
            {"SENDER_PROVIDERS": '{"+12016661234": ["sms", "sms-eu"]}'},
            "SENDER_PROVIDERS: 'sms-eu' is not among",
        ),
        ({"SENDER_PROVIDERS": '{"+12016661234": "sms"}'}, "SENDER_PROVIDERS: must be a list"),
        ({"MAX_ATTEMPTS": "0"}, "MAX_ATTEMPTS: must be at least 1"),
    ],
)
def test_an_invalid_setting_is_named_by_its_variable(
    configure: Configure, variables: dict[str, str], problem: str
) -> None:
    configure(**variables)
    with pytest.raises(InvalidSetting) as raised:
        providers.check_configuration()
    assert str(raised.value).startswith(problem)


def test_valid_settings_raise_nothing(configure: Configure) -> None:
    configure(PROVIDERS="us=sms,eu=sms,email", SENDER_PROVIDERS='{"+12016661234": ["eu"], "Shop": []}')
    providers.check_configuration()
    configure(PROVIDERS="", SENDER_PROVIDERS="")
    providers.check_configuration()


def test_get_provider_returns_the_instance_of_a_configured_name(configure: Configure) -> None:
    configure(PROVIDERS=" sms , mail = email,,", PROVIDER_SECRET_ARN="")
    assert type(providers.get_provider("sms")) is json_gateway.Sms
    assert (type(providers.get_provider("mail")), providers.get_provider("mail").name) == (
        json_gateway.Email,
        "mail",
    )
    for name in ("email", "", "SMS", "x" * 10_000, "\0"):
        with pytest.raises(NotFound):
            providers.get_provider(name)


@pytest.mark.parametrize(
    ("channel", "sender", "expected"),
    [
        (Channel.SMS, CUSTOMER, ["sms", "sms-eu"]),
        (Channel.MMS, CUSTOMER, ["sms", "sms-eu"]),
        (Channel.EMAIL, "user@example.com", ["email"]),
        (Channel.SMS, "+4915112345678", ["sms-eu"]),
        (Channel.EMAIL, "+4915112345678", []),
    ],
)
def test_providers_are_tried_in_the_order_of_the_configuration(
    configure: Configure, channel: Channel, sender: str, expected: list[str]
) -> None:
    own = json.dumps({"+4915112345678": ["sms-eu"]})
    configure(PROVIDERS="sms,email,sms-eu=sms", SENDER_PROVIDERS=own)
    assert providers.names_for(channel, sender) == expected


def test_an_unreadable_secret_is_unavailable(aws: Aws, configure: Configure) -> None:
    configure(PROVIDER_SECRET_ARN="arn:aws:secretsmanager:us-east-1:000000000000:secret:gone")
    with pytest.raises(Unavailable):
        providers.get_provider("sms")


def test_an_instance_without_fields_in_the_secret_is_created(aws: Aws, configure: Configure) -> None:
    configure(
        PROVIDERS="sms,email", PROVIDER_SECRET_ARN=aws.create_secret({"sms": {"url": "https://example.com/"}})
    )
    assert providers.get_provider("email").name == "email"
