"""Any mail, form, message or report, signed by its vendor, is in a conversation or an unread webhook.

FUZZ=long tries 1,000 requests of each kind, which takes minutes.
"""

from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.readers.mails import MAILS, Kind
from messaging.problems import SignatureRejected
from messaging.providers import REGISTRY, provider_class
from messaging.providers.provider import Webhook
from tests.layer.providers.test_fuzz import LONG
from tests.support.api import call
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.providers.altered_requests import altered, altered_bytes, with_field
from tests.support.providers.contract import Contract, contracts
from tests.support.providers.vendor_profile import NAME, PUBLIC_URL

pytestmark = pytest.mark.fuzz

EXAMPLES = settings(
    max_examples=1_000 if LONG else 50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
TYPES = {provider_class(name): name for name in REGISTRY}
FORGET = "DELETE FROM messages WHERE direction = 'inbound'; DELETE FROM webhook_requests"
SHOWN = "SELECT count(*) FROM messages m JOIN webhook_requests r ON r.id = m.webhook_request_id"
LISTED = "SELECT count(*) FROM webhook_requests WHERE fault IS NOT NULL"
STORED = "SELECT count(*) FROM webhook_requests"
PIECES = (
    *(b"\0", b"\r", b"\n", b"\r\n\r\n", b"\xff", b"\xe9", b"\x1b$B", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80"),
    *(b"<", b">", b'"', b"(", b")", b"@", b",", b";", b":", b"=", b"\\", b"..", b"=?utf-8?q?", b"?=", b"=3D"),
    *(b"From: \r\n", b"From: x\r\n", b"Sender: s@example.org\r\n", b"Content-Type: multipart/mixed\r\n"),
    *(b"Content-Transfer-Encoding: base64\r\n", b"Content-Type: text/html; charset=utf-16\r\n", b"--cut\r\n"),
    *(b"--cut--\r\n", b"begin 644 a\r\n", b"filename*=utf-7''+2AA-", b"charset=x", b"x" * 3000, b"(" * 2000),
)
"""What readers of mail disagree about."""


Deploy = Callable[[Contract], None]
CONTRACTS = [contract_class for contract_class in contracts() if contract_class.provider in TYPES]


def every(contract_classes: Iterable[type[Contract]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "contract_class", list(contract_classes), ids=lambda contract: contract.__name__
    )


@pytest.fixture
def deploy(aws: Aws, configure: Configure, database: Database) -> Deploy:
    def deploy(contract: Contract) -> None:
        configure(
            PROVIDERS=f"{NAME}={TYPES[contract.provider]}",
            PROVIDER_SECRET_ARN=aws.create_secret({NAME: contract.secret("http://127.0.0.1:9/")}),
            PUBLIC_URL=PUBLIC_URL,
            ALLOW_UNSIGNED_WEBHOOKS="",
        )

    return deploy


def post(database: Database, contract: Contract, webhook: Webhook) -> None:
    """Send a signed request, as the first of its kind."""
    database.rows(FORGET)
    answer = call("POST", f"{contract.route}?{webhook.query}".rstrip("?"), webhook.body, webhook.headers)
    assert 200 <= answer.status < 300, answer.body
    assert database.value(STORED) == 1


def check(database: Database, contract: Contract, webhook: Webhook) -> None:
    """Send a signed request with a message: it must be shown or listed."""
    post(database, contract, webhook)
    assert database.value(SHOWN) or database.value(LISTED), "neither in a conversation nor in the list"


# --- Mails -------------------------------------------------------------------------------------------


def altered_mails(raw: bytes) -> st.SearchStrategy[bytes]:
    """Mails with pieces of other mails anywhere, with missing, repeated and shuffled lines, or cut."""
    at = st.integers(0, len(raw))
    inserted = st.lists(st.tuples(at, st.sampled_from(PIECES)), min_size=1, max_size=4).map(
        lambda pieces: _inserted(raw, pieces)
    )
    lines = raw.splitlines(keepends=True)
    shuffled = st.lists(st.sampled_from(lines), max_size=len(lines) + 3).map(b"".join)
    swapped = st.tuples(st.sampled_from(lines), st.sampled_from(PIECES), st.sampled_from(PIECES)).map(
        lambda three: raw.replace(three[0], three[1] + three[0].strip() + three[2])
    )
    return inserted | swapped | shuffled | altered_bytes(raw)


def _inserted(raw: bytes, pieces: Sequence[tuple[int, bytes]]) -> bytes:
    for at, piece in sorted(pieces, reverse=True):
        raw = raw[:at] + piece + raw[at:]
    return raw


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
@every(contract for contract in CONTRACTS if contract().raw_mail(b""))
def test_an_altered_mail_is_shown_or_listed(
    database: Database, deploy: Deploy, contract_class: type[Contract], kind: Kind
) -> None:
    contract = contract_class()
    deploy(contract)
    mails = st.sampled_from([mail.raw for mail in MAILS if mail.kind is kind])

    @EXAMPLES
    @given(mails.flatmap(altered_mails))
    def checked(raw: bytes) -> None:
        body = contract.raw_mail(raw)
        assert body
        check(database, contract, contract.request(body))

    checked()


# --- Forms, messages and reports ---------------------------------------------------------------------

FORM_PIECES = (
    *(b'filename="\xe9\xff.pdf"', b"; filename*=UTF-8''%E2%82", b"Content-Type: \xff\r\n", b'"; name="text'),
    *(b"Content-Disposition: form-data\r\n", b"\r\n\r\n", b'name="', b";;", b"\0", b"\xf0\x9f\x98\x80"),
)


def multiparts(contract: Contract) -> list[bytes]:
    return [body for body in (contract.inbound, *contract.samples()) if body.startswith(b"--")]


@every(contract for contract in CONTRACTS if multiparts(contract()))
def test_an_altered_form_is_shown_or_listed(
    database: Database, deploy: Deploy, contract_class: type[Contract]
) -> None:
    contract = contract_class()
    deploy(contract)

    def altered_forms(body: bytes) -> st.SearchStrategy[bytes]:
        heads = [at for at in range(len(body)) if body.startswith(b"\r\n\r\n", at)]
        places = st.tuples(st.sampled_from(heads), st.sampled_from(FORM_PIECES))
        in_heads = st.lists(places, min_size=1, max_size=3).map(lambda pieces: _inserted(body, pieces))
        return in_heads | altered(body, contract.content_type(body))

    @EXAMPLES
    @given(st.sampled_from(multiparts(contract)).flatmap(altered_forms))
    def checked(body: bytes) -> None:
        webhook = contract.request(body)
        try:
            contract.create().verify(webhook)
        except SignatureRejected:  # the altered body has no place for a signature
            return
        check(database, contract, webhook)

    checked()


VALUES = (
    st.sampled_from(["McDonald's", "E*TRADE", "M\u00fcller", "+5215512345678", "18045551234", "", " ", "+"])
    | st.text(max_size=20)
    | st.text("+0123456789-() .", max_size=20)
)


@every(contract for contract in CONTRACTS if contract.message_fields)
def test_a_message_with_any_value_is_shown_or_listed(
    database: Database, deploy: Deploy, contract_class: type[Contract]
) -> None:
    contract = contract_class()
    deploy(contract)
    content_type = contract.content_type(contract.inbound)

    @EXAMPLES
    @given(st.sampled_from(contract.message_fields), VALUES)
    def checked(field: str, value: str) -> None:
        body = with_field(contract.inbound, content_type, field, value)
        check(database, contract, contract.request(body))

    checked()


@every(CONTRACTS)
def test_an_altered_report_is_stored(
    database: Database, deploy: Deploy, contract_class: type[Contract]
) -> None:
    contract = contract_class()
    with contract.running():
        deploy(contract)

        @EXAMPLES
        @given(altered(contract.report, contract.content_type(contract.report)))
        def checked(body: bytes) -> None:
            try:
                webhook = contract.request(body)
                contract.create().verify(webhook)
            except Exception:  # noqa: BLE001  # the altered body has no place for a signature
                return
            post(database, contract, webhook)

        checked()
