"""The outbound queue: ids with a delay, and failures that cost a second but lose no message."""

import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from messaging.outbound import queue
from messaging.outbound.attempts import Dispatch
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.tcp_server import Script, hang, read_request, reset, respond, serve

DISPATCHES = [Dispatch(id, 1) for id in range(1, 26)]


def test_the_queue_carries_only_ids(aws: Aws) -> None:
    assert queue.send(DISPATCHES) == []
    received = aws.receive_queued()
    assert sorted(int(message["Body"]) for message in received) == [
        dispatch.message_id for dispatch in DISPATCHES
    ]
    assert not any("MessageAttributes" in message for message in received)


def test_each_account_is_a_message_group(aws: Aws) -> None:
    queue.send([Dispatch(1, 1), Dispatch(2, 7)])
    groups = {message["Body"]: message["Attributes"]["MessageGroupId"] for message in aws.receive_queued()}
    assert groups == {"1": "1", "2": "7"}


def test_no_dispatches_make_no_request(aws: Aws) -> None:
    assert queue.send([]) == []
    assert aws.receive_queued() == []


@pytest.fixture
def requests(aws_at: Callable[[str], None]) -> Iterator[list[dict[str, object]]]:
    """The requests to a queue that refuses odd ids."""
    requests: list[dict[str, object]] = []

    def script(client: socket.socket) -> None:
        request = json.loads(read_request(client).partition(b"\r\n\r\n")[2])
        requests.append(request)
        ids = [entry["Id"] for entry in request["Entries"]]
        failed = [{"Id": id, "SenderFault": False, "Code": "x"} for id in ids if int(id) % 2]
        body = json.dumps({"Successful": [], "Failed": failed}).encode()
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with serve(script) as address:
        aws_at(f"http://{address}")
        yield requests


def test_returns_the_ids_that_the_queue_did_not_take(requests: list[dict[str, object]]) -> None:
    assert queue.send(DISPATCHES) == [id for id in range(1, 26) if id % 2]
    assert [len(str(request["Entries"]).split("MessageBody")) - 1 for request in requests] == [10, 10, 5]


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [(0, 0), (0.1, 1), (1.4, 2), (1.6, 2), (60, 60), (900, 900), (901, 900), (86400, 900)],
)
def test_a_delay_is_rounded_up_to_seconds_and_limited_to_15_minutes(
    requests: list[dict[str, object]], delay: float, seconds: int
) -> None:
    """SQS counts in seconds, up to 900. A delivery that comes too early finds nothing due."""
    queue.send([Dispatch(2, 1)], delay)
    [request] = requests
    assert isinstance(request["Entries"], list)
    assert request["Entries"][0]["DelaySeconds"] == seconds


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda _: None, id="closes"),
        pytest.param(reset, id="resets"),
        pytest.param(read_request, id="closes after it has read"),
        pytest.param(hang, id="hangs"),
        pytest.param(respond(b"SSH-2.0-OpenSSH_9.9\r\n"), id="speaks something else"),
        pytest.param(respond(b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"), id="is at fault"),
        pytest.param(respond(b"HTTP/1.1 503 x\r\nContent-Length: 4\r\n\r\nbusy"), id="is busy"),
        pytest.param(respond(b"HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\n{}"), id="refuses"),
        pytest.param(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"), id="answers a list"),
        pytest.param(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"), id="answers half"),
        pytest.param(
            respond(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"Failed":7}'), id="answers nonsense"
        ),
    ],
)
def test_a_failing_queue_costs_a_second_and_returns_every_id(
    aws_at: Callable[[str], None], script: Script
) -> None:
    with serve(script) as address:
        aws_at(f"http://{address}")
        queue.send(DISPATCHES[:1])  # the first call creates the client, which takes longer
        started = time.monotonic()
        assert queue.send(DISPATCHES) == [dispatch.message_id for dispatch in DISPATCHES]
        assert time.monotonic() - started < 2.5


def test_a_dead_connection_is_replaced(aws_at: Callable[[str], None]) -> None:
    """After a pause of the environment a connection may accept a request although it is dead."""
    requests: list[bytes] = []

    def script(client: socket.socket) -> None:
        for answered in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b""):
            requests.append(read_request(client))
            client.sendall(answered)

    with serve(script) as address:
        aws_at(f"http://{address}")
        assert queue.send([Dispatch(1, 1)]) == []
        assert queue.send([Dispatch(2, 1)]) == []
    assert [b'"Id": "2"' in request for request in requests] == [False, True, True]


def test_a_deleted_queue_returns_every_id(aws: Aws) -> None:
    aws.delete_queues()
    assert queue.send(DISPATCHES) == [dispatch.message_id for dispatch in DISPATCHES]


@pytest.mark.parametrize("url", ["", "nowhere", "http://127.0.0.1:9/x"])
def test_an_invalid_queue_url_returns_every_id(aws: Aws, configure: Configure, url: str) -> None:
    configure(OUTBOUND_QUEUE_URL=url)
    assert queue.send(DISPATCHES) == [dispatch.message_id for dispatch in DISPATCHES]


def test_a_refused_connection_returns_every_id(aws_at: Callable[[str], None]) -> None:
    aws_at("http://127.0.0.1:9")
    assert queue.send(DISPATCHES) == [dispatch.message_id for dispatch in DISPATCHES]
