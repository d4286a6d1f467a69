"""Dead letters are put back where they came from, and none is lost on the way."""

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
    """The template's queues, and nobody who takes anything out of them."""
    aws = LocalAws(tmp_path, ports.choose("127.0.0.1", 0, ""))
    aws.start()
    aws.create_queues(Template(template, {}, {}, endpoint=aws.endpoint, gateway="").queues)
    yield aws
    aws.stop()


@pytest.fixture
def options(aws: LocalAws, template: Path) -> Options:
    return Options(template=template, aws_port=urlsplit(aws.endpoint).port or 0)


def put(aws: LocalAws, queue: str, *bodies: str, **fields: Any) -> None:
    sqs = aws.sqs()
    for body in bodies:
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=body, **fields)


def taken(aws: LocalAws, queue: str) -> list[dict[str, Any]]:
    """All that can be received now."""
    sqs = aws.sqs()
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found: list[Any] = []
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, MessageAttributeNames=["All"]
    ).get("Messages"):
        found += messages
    return found


def bodies(aws: LocalAws, queue: str) -> list[str]:
    return sorted(message["Body"] for message in taken(aws, queue))


def test_every_dead_letter_is_put_back_as_it_was(aws: LocalAws, options: Options) -> None:
    put(aws, "Queue", "waiting")
    put(aws, "Dead", *(str(number) for number in range(25)))
    put(aws, "Dead", "with more", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    said: list[str] = []
    assert redrive(options, said.append) == 0
    assert said == ["Dead: 26 moved to Queue"]
    assert bodies(aws, "Dead") == []
    found = taken(aws, "Queue")
    assert sorted(message["Body"] for message in found) == sorted(
        ["waiting", "with more", *(str(number) for number in range(25))]
    )
    [more] = [message for message in found if message["Body"] == "with more"]
    assert more["MessageAttributes"]["a"]["StringValue"] == "b"


def test_where_there_is_nothing_it_says_so(options: Options) -> None:
    said: list[str] = []
    redrive(options, said.append)
    assert said == ["Dead: 0 moved to Queue"]


def test_a_letter_that_cannot_be_put_back_stays_where_it_is(aws: LocalAws, options: Options) -> None:
    sqs = aws.sqs()
    put(aws, "Dead", "only copy")
    url = sqs.get_queue_url(QueueName="Dead")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="Queue")["QueueUrl"])
    with pytest.raises(CannotStart):
        redrive(options, print)
    assert bodies(aws, "Dead") == ["only copy"]


def test_it_is_a_command_that_says_where_it_looked(
    options: Options, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["local", "redrive", "--template", str(options.template), "--aws-port", str(options.aws_port)]
    monkeypatch.setattr("sys.argv", command)
    assert main() == 0
    assert capsys.readouterr().out == "Dead: 0 moved to Queue\n"
    nobody = ports.choose("127.0.0.1", 0, "")
    monkeypatch.setattr("sys.argv", [*command[:-1], str(nobody)])
    assert main() == 1
    assert f"error: http://127.0.0.1:{nobody}: " in capsys.readouterr().err
