"""The spool: requests are stored completely, in SQS or S3, and delivered again after growing delays."""

import base64
import json
import socket
import time
from collections.abc import Callable

import pytest

from messaging.inbound import spool
from messaging.inbound.spool import ReceivedRecord, SpoolObjectMissing, SpoolPointer
from messaging.inbound.webhook_request import WebhookRequest
from messaging.problems import Unavailable
from tests.support import messages
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.tcp_server import Script, hang, read_request, reset, respond, serve
from tests.support.waiting import eventually

TEN_DAYS = 10 * 24 * 3600
ALL_BYTES = bytes(range(256))


def spooled(aws: Aws) -> WebhookRequest | SpoolPointer:
    [record] = aws.receive_spooled()
    return spool.parse_record(record["body"])


def test_a_request_is_in_the_queue_as_it_arrived_but_without_credentials(aws: Aws) -> None:
    headers = {"webhook-id": "msg_1", "x-odd": "\xe9\uffff", "authorization": "Basic x"}
    request = messages.request(ALL_BYTES, headers=headers, query="a=b%20c")
    spool.spool_request(request)
    assert spooled(aws) == request
    [record] = aws.receive_spooled()
    written = json.loads(record["body"])
    assert base64.urlsafe_b64decode(written.pop("body")) == ALL_BYTES
    assert written.keys() == {
        *("route", "provider", "url", "query", "headers", "received_at", "verified_at", "replay_token")
    }
    assert written["headers"].keys() == {"webhook-id", "x-odd"}
    assert aws.list_keys() == []


@pytest.mark.parametrize(("size", "objects"), [(149_000, 0), (150_000, 1), (4_500_000, 1)])
def test_a_request_that_is_too_large_for_the_queue_is_in_the_bucket(
    aws: Aws, size: int, objects: int
) -> None:
    """The record has four bytes for three bytes of the body. SQS takes 256 KiB."""
    request = messages.request(b"x" * size)
    spool.spool_request(request)
    record = spooled(aws)
    assert len(aws.list_keys()) == objects
    if isinstance(record, SpoolPointer):
        assert (record.provider, record.digest) == ("sms", request.digest.hex())
        assert spool.load_request(record) == request
        spool.delete_object(record)
        assert aws.list_keys() == []
        with pytest.raises(SpoolObjectMissing):
            spool.load_request(record)
        spool.delete_object(record)  # does nothing the second time
    else:
        assert record == request


def test_equal_requests_have_an_object_each(aws: Aws) -> None:
    for _ in range(2):
        spool.spool_request(messages.request(b"x" * 300_000))
    assert len(aws.list_keys()) == 2


@pytest.mark.parametrize(
    "body", ["", "7", "null", "[]", "{}", '{"key": 7}', '{"provider": "sms"}', "\ud800", '{"body": "*"}']
)
def test_a_record_that_is_not_a_request_is_an_error(body: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's own message
        spool.parse_record(body)


@pytest.mark.slow
def test_a_postponed_record_is_delivered_again_after_its_delay(aws: Aws) -> None:
    spool.spool_request(messages.request(b"now"))
    spool.spool_request(messages.request(b"later"))
    records = aws.receive_spooled(seconds=60)
    requests = [spool.parse_record(record["body"]) for record in records]
    assert all(isinstance(request, WebhookRequest) for request in requests)
    bodies = [request.body for request in requests if isinstance(request, WebhookRequest)]
    later = records[bodies.index(b"later")]
    others = [ReceivedRecord(record["receiptHandle"], 8) for record in records if record is not later]
    spool.postpone([ReceivedRecord(later["receiptHandle"], 1), *others])
    assert aws.receive_spooled() == []
    assert [record["messageId"] for record in eventually(aws.receive_spooled)] == [later["messageId"]]


def test_delays_double_up_to_15_minutes_and_last_more_than_ten_days() -> None:
    assert [spool.delay(receives) for receives in (1, 2, 3, 9, 10, 11, 1000)] == [2, 4, 8, 512, 900, 900, 900]
    assert sum(spool.delay(receives) for receives in range(1, 1001)) > TEN_DAYS


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(reset, id="resets"),
        pytest.param(read_request, id="closes after it has read"),
        pytest.param(hang, id="hangs"),
        pytest.param(respond(b"HTTP/1.1 503 x\r\nContent-Length: 4\r\n\r\nbusy"), id="is busy"),
        pytest.param(respond(b"HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\n{}"), id="refuses"),
    ],
)
@pytest.mark.parametrize("size", [1, 300_000])
def test_a_failing_queue_or_bucket_is_unavailable_within_a_few_seconds(
    aws_at: Callable[[str], None], script: Script, size: int
) -> None:
    with serve(script) as address:
        aws_at(f"http://{address}")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            spool.spool_request(messages.request(b"x" * size))
        assert time.monotonic() - began < 8


@pytest.mark.slow
def test_postponing_and_deleting_do_not_raise_if_aws_is_unavailable(
    aws_at: Callable[[str], None],
) -> None:
    aws_at("http://127.0.0.1:9")
    spool.postpone([ReceivedRecord("receipt", 1)])
    spool.delete_object(SpoolPointer(key="key", provider="sms", digest=""))


@pytest.mark.parametrize("url", ["", "nowhere"])
def test_spooling_without_a_queue_raises_unavailable(aws: Aws, configure: Configure, url: str) -> None:
    configure(INBOUND_QUEUE_URL=url)
    with pytest.raises(Unavailable):
        spool.spool_request(messages.request())


def test_a_queue_that_rejects_a_message_is_unavailable(aws_at: Callable[[str], None]) -> None:
    """Any error response of SQS means that the message is not stored."""

    def script(client: socket.socket) -> None:
        read_request(client)
        body = b'{"__type": "com.amazonaws.sqs#OverLimit", "message": "x"}'
        client.sendall(b"HTTP/1.1 400 x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with serve(script) as address:
        aws_at(f"http://{address}")
        with pytest.raises(Unavailable):
            spool.spool_request(messages.request())
