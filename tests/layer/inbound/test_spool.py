"""What is held while the database is away: whole, in the queue or beside it, and given again ever later."""

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
from tests.support.tcp_server import Script, answering, hang, playing, read_request, reset
from tests.support.waiting import eventually

TEN_DAYS = 10 * 24 * 3600
ODD = bytes(range(256))


def held(aws: Aws) -> WebhookRequest | SpoolPointer:
    [record] = aws.held()
    return spool.parse_record(record["body"])


def test_a_request_lies_in_the_queue_as_it_came(aws: Aws) -> None:
    headers = {"webhook-id": "msg_1", "x-odd": "\xe9\uffff", "authorization": "Basic x"}
    request = messages.request(ODD, headers=headers, query="a=b%20c")
    spool.spool_request(request)
    assert held(aws) == request
    [record] = aws.held()
    written = json.loads(record["body"])
    assert base64.urlsafe_b64decode(written.pop("body")) == ODD
    assert written.keys() == {
        *("route", "provider", "url", "query", "headers", "received_at", "verified_at", "replay_token")
    }
    assert written["headers"].keys() == {"webhook-id", "x-odd"}
    assert aws.objects() == []


@pytest.mark.parametrize(("size", "objects"), [(149_000, 0), (150_000, 1), (4_500_000, 1)])
def test_what_is_too_long_for_the_queue_lies_in_the_bucket(aws: Aws, size: int, objects: int) -> None:
    """Three bytes are four in the record, which SQS takes up to 256 KiB."""
    request = messages.request(b"x" * size)
    spool.spool_request(request)
    found = held(aws)
    assert len(aws.objects()) == objects
    if isinstance(found, SpoolPointer):
        assert (found.provider, found.digest) == ("sms", request.digest.hex())
        assert spool.load_request(found) == request
        spool.delete_object(found)
        assert aws.objects() == []
        with pytest.raises(SpoolObjectMissing):
            spool.load_request(found)
        spool.delete_object(found)  # is nothing the second time
    else:
        assert found == request


def test_two_that_are_the_same_have_an_object_each(aws: Aws) -> None:
    for _ in range(2):
        spool.spool_request(messages.request(b"x" * 300_000))
    assert len(aws.objects()) == 2


@pytest.mark.parametrize(
    "body", ["", "7", "null", "[]", "{}", '{"key": 7}', '{"provider": "sms"}', "\ud800", '{"body": "*"}']
)
def test_what_is_no_request_is_told_apart(body: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's own, whatever it says
        spool.parse_record(body)


@pytest.mark.slow
def test_a_record_that_is_put_off_comes_again_later(aws: Aws) -> None:
    spool.spool_request(messages.request(b"now"))
    spool.spool_request(messages.request(b"later"))
    records = aws.held(seconds=60)
    [later] = [
        one
        for one in records
        if isinstance(r := spool.parse_record(one["body"]), WebhookRequest) and r.body == b"later"
    ]
    others = [ReceivedRecord(one["receiptHandle"], 8) for one in records if one is not later]
    spool.postpone([ReceivedRecord(later["receiptHandle"], 1), *others])
    assert aws.held() == []
    assert [record["messageId"] for record in eventually(aws.held)] == [later["messageId"]]


def test_waits_double_up_to_a_quarter_of_an_hour_and_outlast_ten_days() -> None:
    assert [spool.delay(receives) for receives in (1, 2, 3, 9, 10, 11, 1000)] == [2, 4, 8, 512, 900, 900, 900]
    assert sum(spool.delay(receives) for receives in range(1, 1001)) > TEN_DAYS


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(reset, id="resets"),
        pytest.param(read_request, id="closes after it has read"),
        pytest.param(hang, id="hangs"),
        pytest.param(answering(b"HTTP/1.1 503 x\r\nContent-Length: 4\r\n\r\nbusy"), id="is busy"),
        pytest.param(answering(b"HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\n{}"), id="refuses"),
    ],
)
@pytest.mark.parametrize("size", [1, 300_000])
def test_a_queue_or_a_bucket_in_trouble_costs_a_few_seconds_and_is_said_to_be_away(
    aws_at: Callable[[str], None], script: Script, size: int
) -> None:
    with playing(script) as address:
        aws_at(f"http://{address}")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            spool.spool_request(messages.request(b"x" * size))
        assert time.monotonic() - began < 8


def test_a_queue_in_trouble_is_no_reason_to_fail_for_those_that_are_put_off(
    aws_at: Callable[[str], None],
) -> None:
    aws_at("http://127.0.0.1:9")
    spool.postpone([ReceivedRecord("receipt", 1)])
    spool.delete_object(SpoolPointer(key="key", provider="sms", digest=""))


@pytest.mark.parametrize("url", ["", "nowhere"])
def test_a_deployment_without_a_queue_holds_nothing(aws: Aws, configure: Configure, url: str) -> None:
    configure(INBOUND_QUEUE_URL=url)
    with pytest.raises(Unavailable):
        spool.spool_request(messages.request())


def test_a_queue_that_takes_no_more_is_away(aws_at: Callable[[str], None]) -> None:
    """Whatever SQS says no to: what is not said to be taken is not."""

    def script(client: socket.socket) -> None:
        read_request(client)
        body = b'{"__type": "com.amazonaws.sqs#OverLimit", "message": "x"}'
        client.sendall(b"HTTP/1.1 400 x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with playing(script) as address:
        aws_at(f"http://{address}")
        with pytest.raises(Unavailable):
            spool.spool_request(messages.request())
