import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import Stack, running
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def stack(template: Path) -> Iterator[Stack]:
    """A stack of its own, because these tests stop the queue."""
    with running(template=template, relay_every=0, database_url="postgresql://unused") as stack:
        yield stack


def send(stack: Stack, *bodies: str) -> None:
    entries: Any = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    stack.sqs().send_message_batch(QueueUrl=url(stack, "Queue"), Entries=entries)


def url(stack: Stack, resource: str) -> str:
    [queue] = [queue for queue in stack.template.queues if queue.resource == resource]
    return queue.url


def records(stack: Stack) -> list[dict[str, Any]]:
    """Return the records that the function has received so far."""
    lines = [line for line in stack.log("Batch").splitlines() if line.startswith("[{")]
    records: list[dict[str, Any]] = []
    for line in lines:
        records += json.loads(line)
    return records


def receive_counts(stack: Stack, body: str) -> list[str]:
    """Return the receive count of each delivery of a message."""
    return [
        record["attributes"]["ApproximateReceiveCount"] for record in records(stack) if record["body"] == body
    ]


def dead_letters(stack: Stack) -> list[str]:
    received = stack.sqs().receive_message(
        QueueUrl=url(stack, "Dead"), VisibilityTimeout=0, MaxNumberOfMessages=10
    )
    return [message["Body"] for message in received.get("Messages", [])]


def test_a_message_is_processed_as_in_lambda_and_deleted(stack: Stack) -> None:
    send(stack, "one")
    [record] = eventually(lambda: [record for record in records(stack) if record["body"] == "one"])
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == "arn:aws:sqs:us-east-1:000000000000:Queue"
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"messageId", "receiptHandle", "md5OfBody", "messageAttributes"} <= set(record)
    eventually(lambda: queue_length(stack) == 0)


def queue_length(stack: Stack) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = stack.sqs().get_queue_attributes(QueueUrl=url(stack, "Queue"), AttributeNames=names)[
        "Attributes"
    ]
    return sum(int(attributes[name]) for name in names)


def test_only_the_failed_messages_of_a_batch_come_back_and_become_dead_letters(stack: Stack) -> None:
    send(stack, "good", "fail", "also good")
    eventually(lambda: "fail" in dead_letters(stack))
    assert receive_counts(stack, "fail") == ["1", "2"]
    assert receive_counts(stack, "good") == receive_counts(stack, "also good") == ["1"]


def test_the_whole_batch_comes_back_if_the_function_raises(stack: Stack) -> None:
    send(stack, "raise", "with it")
    eventually(lambda: "raise" in dead_letters(stack))
    assert receive_counts(stack, "raise") == ["1", "2"]
    assert receive_counts(stack, "with it")[:2] == ["1", "2"]


def test_the_poller_survives_a_restart_of_the_queue(stack: Stack) -> None:
    stack.stop_aws()
    stack.start_aws()
    send(stack, "afterwards")
    assert eventually(lambda: receive_counts(stack, "afterwards")) == ["1"]
