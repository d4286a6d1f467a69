"""Dead letters move back to their source queue, and none is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import CannotStart, Options
from local.__main__ import main
from local.commands.redrive import redrive
from local.services import ports
from local.services.aws import LocalAws
from local.template.template import Template


@pytest.fixture
def aws(tmp_path: Path, template: Path) -> Iterator[LocalAws]:
    """The template's queues, without a poller."""
    aws = LocalAws(tmp_path, ports.choose("127.0.0.1", 0, ""))
    aws.start()
    aws.create_queues(Template(template, {}, {}, endpoint=aws.endpoint, gateway="").queues)
    yield aws
    aws.stop()


@pytest.fixture
def options(aws: LocalAws, template: Path) -> Options:
    return Options(template=template, aws_port=urlsplit(aws.endpoint).port or 0)


def send(aws: LocalAws, queue: str, *bodies: str, **fields: Any) -> None:
    sqs = aws.sqs()
    for body in bodies:
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=body, **fields)


def receive_all(aws: LocalAws, queue: str) -> list[dict[str, Any]]:
    sqs = aws.sqs()
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    received: list[Any] = []
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, MessageAttributeNames=["All"]
    ).get("Messages"):
        received += messages
    return received


def bodies(aws: LocalAws, queue: str) -> list[str]:
    return sorted(message["Body"] for message in receive_all(aws, queue))


def test_every_dead_letter_moves_back_unchanged(aws: LocalAws, options: Options) -> None:
    send(aws, "Queue", "waiting")
    send(aws, "Dead", *(str(number) for number in range(25)))
    send(aws, "Dead", "with more", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    lines: list[str] = []
    assert redrive(options, lines.append) == 0
    assert lines == ["Dead: 26 moved to Queue"]
    assert bodies(aws, "Dead") == []
    received = receive_all(aws, "Queue")
    assert sorted(message["Body"] for message in received) == sorted(
        ["waiting", "with more", *(str(number) for number in range(25))]
    )
    [with_attributes] = [message for message in received if message["Body"] == "with more"]
    assert with_attributes["MessageAttributes"]["a"]["StringValue"] == "b"


def test_an_empty_queue_is_reported(options: Options) -> None:
    lines: list[str] = []
    redrive(options, lines.append)
    assert lines == ["Dead: 0 moved to Queue"]


def test_a_message_that_cannot_be_moved_stays_where_it_is(aws: LocalAws, options: Options) -> None:
    sqs = aws.sqs()
    send(aws, "Dead", "only copy")
    url = sqs.get_queue_url(QueueName="Dead")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="Queue")["QueueUrl"])
    with pytest.raises(CannotStart):
        redrive(options, print)
    assert bodies(aws, "Dead") == ["only copy"]


def test_the_redrive_command_names_the_address_that_does_not_answer(
    options: Options, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["local", "redrive", "--template", str(options.template), "--aws-port", str(options.aws_port)]
    monkeypatch.setattr("sys.argv", command)
    assert main() == 0
    assert capsys.readouterr().out == "Dead: 0 moved to Queue\n"
    unused_port = ports.choose("127.0.0.1", 0, "")
    monkeypatch.setattr("sys.argv", [*command[:-1], str(unused_port)])
    assert main() == 1
    assert f"error: http://127.0.0.1:{unused_port}: " in capsys.readouterr().err
