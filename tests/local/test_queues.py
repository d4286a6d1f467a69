import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import Stack, running
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def stack(template: Path) -> Iterator[Stack]:
    """One of its own: these tests stop the queue."""
    with running(template=template, relay_every=0, database_url="postgresql://unused") as stack:
        yield stack


def send(stack: Stack, *bodies: str) -> None:
    entries: Any = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    stack.sqs().send_message_batch(QueueUrl=url(stack, "Queue"), Entries=entries)


def url(stack: Stack, resource: str) -> str:
    [found] = [queue.url for queue in stack.template.queues if queue.resource == resource]
    return found


def records(stack: Stack) -> list[dict[str, Any]]:
    """All that the function was handed so far."""
    lines = [line for line in stack.log("Batch").splitlines() if line.startswith("[{")]
    return [record for line in lines for record in json.loads(line)]


def receipts(stack: Stack, body: str) -> list[str]:
    return [
        record["attributes"]["ApproximateReceiveCount"] for record in records(stack) if record["body"] == body
    ]


def dead(stack: Stack) -> list[str]:
    received = stack.sqs().receive_message(
        QueueUrl=url(stack, "Dead"), VisibilityTimeout=0, MaxNumberOfMessages=10
    )
    return [message["Body"] for message in received.get("Messages", [])]


def test_a_message_is_handed_over_as_lambda_does_and_taken_out(stack: Stack) -> None:
    send(stack, "one")
    [record] = eventually(lambda: [record for record in records(stack) if record["body"] == "one"])
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == "arn:aws:sqs:us-east-1:000000000000:Queue"
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"messageId", "receiptHandle", "md5OfBody", "messageAttributes"} <= set(record)
    eventually(lambda: left(stack) == 0)


def left(stack: Stack) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = stack.sqs().get_queue_attributes(QueueUrl=url(stack, "Queue"), AttributeNames=names)[
        "Attributes"
    ]
    return sum(int(attributes[name]) for name in names)


def test_of_a_batch_only_what_failed_comes_back_and_in_the_end_is_a_dead_letter(stack: Stack) -> None:
    send(stack, "good", "fail", "also good")
    eventually(lambda: "fail" in dead(stack))
    assert receipts(stack, "fail") == ["1", "2"]
    assert receipts(stack, "good") == receipts(stack, "also good") == ["1"]


def test_where_the_function_raises_the_whole_batch_comes_back(stack: Stack) -> None:
    send(stack, "raise", "with it")
    eventually(lambda: "raise" in dead(stack))
    assert receipts(stack, "raise") == ["1", "2"]
    assert receipts(stack, "with it")[:2] == ["1", "2"]


def test_the_poller_outlives_the_queue(stack: Stack) -> None:
    stack.stop_aws()
    stack.start_aws()
    send(stack, "afterwards")
    assert eventually(lambda: receipts(stack, "afterwards")) == ["1"]
