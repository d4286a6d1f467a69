"""SNS as the tests simulate it: its host, which only the tests' certificate authority vouches for, and its
signatures."""

import base64
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from messaging.providers.provider import Webhook
from messaging.transport import client, sns
from tests.support.certificates import Authority
from tests.support.providers.contract import Contract

TOPIC = "arn:aws:sns:us-west-2:123456789012:messaging"
HOST = "sns.us-west-2.amazonaws.com"
PEM = "/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
CONFIRM = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
CONFIRMATION = {"Type": "SubscriptionConfirmation", "Token": "2336412f37", "SubscribeURL": CONFIRM}
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
SIGNED["UnsubscribeConfirmation"] = SIGNED["SubscriptionConfirmation"]


@cache
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def certificate(key: Any, days: tuple[int, int] = (-1, 1)) -> bytes:
    """A certificate in PEM. `days`: when it begins and ends, in days from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin, end = (datetime.now(UTC) + timedelta(days=offset) for offset in days)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def envelope(message: object, **fields: str) -> dict[str, str]:
    """A notification as SNS sends it, without a signature. Content that is not text is sent as JSON."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
        "SignatureVersion": "2",
        "SigningCertURL": f"https://{HOST}{PEM}",
        "UnsubscribeURL": f"https://{HOST}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:2bcfbf39",
        **fields,
    }


def signed(fields: Mapping[str, str], by: RSAPrivateKey | None = None) -> bytes:
    """The request's body."""
    text = "".join(f"{name}\n{fields[name]}\n" for name in SIGNED[fields["Type"]] if name in fields)
    kind = hashes.SHA1() if fields["SignatureVersion"] == "1" else hashes.SHA256()
    signature = (by or key()).sign(text.encode(), PKCS1v15(), kind)
    return json.dumps({**fields, "Signature": base64.b64encode(signature).decode()}).encode()


def webhook(body: bytes, at: datetime | None = None) -> Webhook:
    headers = {"x-amz-sns-message-type": "Notification", "x-amz-sns-topic-arn": TOPIC}
    return Webhook("https://api.example.com/hook", "", headers, body, at or datetime.now(UTC))


class Host:
    """The response to a GET, by path: status and content. Other paths are 404."""

    def __init__(self) -> None:
        self.pages = {PEM: (200, certificate(key())), CONFIRM.partition(HOST)[2]: (200, b"<Confirmed/>")}
        self.asked: list[str] = []


@contextmanager
def running() -> Iterator[Host]:
    """SNS answers at its host name, with a certificate of the tests' authority. The caches are empty."""
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            status, content = host.pages.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as world:
        authority = Authority(Path(folder), "amazon")
        certified = authority.certify(HOST)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certified.certificate, certified.key)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        resolve = socket.getaddrinfo

        def find(name: Any, port: Any, *more: Any, **named: Any) -> Any:
            if (name, port) == (HOST, 443):
                name, port = server.server_address[:2]
            elif "amazonaws" in str(name):
                raise socket.gaierror(socket.EAI_NONAME, "no test leaves this machine")
            return resolve(name, port, *more, **named)

        world.setattr(socket, "getaddrinfo", find)
        world.setenv("SSL_CERT_FILE", str(authority.bundle))
        forget()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            forget()


def forget() -> None:
    """Clear the caches that live as long as an environment."""
    for cached in (client._tls, sns._fetch_certificate):  # noqa: SLF001
        cached.cache_clear()


class Amazon(Contract):
    """The part of the contract that the two providers of AWS share."""

    tolerance = timedelta(minutes=65)
    keys = (("topics", f"{TOPIC}-of-another"),)
    signature_fields = ("Signature", "SignatureVersion", "SigningCertURL", "TopicArn", "Timestamp")
    unreadable = json.dumps(envelope("{]")).encode()

    @contextmanager
    def running(self) -> Iterator[None]:
        with running():
            yield

    @pytest.fixture(autouse=True)
    def sns_running(self) -> Iterator[None]:
        with self.running():
            yield

    def secret(self, url: str) -> Mapping[str, Any]:
        keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI"}
        return {"region": "us-west-2", **keys, "endpoint_url": url, "topics": TOPIC}

    def text_of(self, body: bytes) -> str:
        """The request with its mail decoded."""
        raw = json.loads(body).get("Content", {}).get("Raw", {}).get("Data", "")
        return body.decode() + base64.b64decode(raw).decode()

    def samples(self) -> list[bytes]:
        """The recorded samples, each in a notification of SNS."""
        return [json.dumps(envelope(body.decode())).encode() for body in super().samples()]

    def content_type(self, body: bytes) -> str:
        return "text/plain; charset=UTF-8"

    def signed(self, body: bytes, at: datetime) -> bytes:
        return signed({**json.loads(body), "Timestamp": f"{at:%Y-%m-%dT%H:%M:%S.000Z}"})

    def tampered(self, body: bytes) -> list[bytes]:
        fields = json.loads(body)
        changed = [
            {**fields, "Message": fields["Message"] + " "},
            {**fields, "MessageId": "another"},
            {**fields, "Subject": "more"},
            {**fields, "Type": "UnsubscribeConfirmation", "Token": "x", "SubscribeURL": "x"},
            {name: value for name, value in fields.items() if name != "Signature"},
        ]
        return [body[:-1], b"", b"\xff\xfe", *(json.dumps(body).encode() for body in changed)]
