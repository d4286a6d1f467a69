"""Moves dead letters back to their source queues, as `aws sqs start-message-move-task` does in AWS.

ministack does not support that task.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import CannotStart
from local.options import Options
from local.services.aws import LocalAws
from local.template.template import Queue, Template

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

BATCH_SIZE = 10
"""The most messages that SQS receives or sends at once."""


def redrive(options: Options, say: Callable[[str], None]) -> int:
    """Redrive every dead-letter queue of the template, in the service at the options' ports.

    Returns the exit code. Raises CannotStart if the service does not answer.
    """
    aws = LocalAws(options.folder, options.aws_port, options.host)
    template = Template(options.template, options.parameters, {}, endpoint=aws.endpoint, gateway="")
    try:
        for dead_letters, source in _dead_letter_queues(template.queues):
            moved = _move_all(aws.sqs(), dead_letters.url, source.url)
            say(f"{dead_letters.resource}: {moved} moved to {source.resource}")
    except (BotoCoreError, ClientError) as error:
        raise CannotStart(f"{aws.endpoint}: {error}; is the service running? see --aws-port") from error
    return 0


def _dead_letter_queues(queues: Sequence[Queue]) -> Iterator[tuple[Queue, Queue]]:
    """Return each dead-letter queue with its source queue."""
    by_arn = {queue.arn: queue for queue in queues}
    for queue in queues:
        if policy := queue.attributes.get("RedrivePolicy"):
            yield by_arn[json.loads(policy)["deadLetterTargetArn"]], queue


def _move_all(sqs: "SQSClient", dead_letters_url: str, source_url: str) -> int:
    """Return how many messages were moved.

    A message is deleted after it was sent, so a crash in between can duplicate a message, but not lose it.
    """
    moved = 0
    while messages := _receive(sqs, dead_letters_url):
        entries = [_entry(message) for message in messages]
        result = sqs.send_message_batch(QueueUrl=source_url, Entries=entries)
        sent_ids = {entry["Id"] for entry in result.get("Successful", [])}
        for message in messages:
            if message["MessageId"] in sent_ids:
                sqs.delete_message(QueueUrl=dead_letters_url, ReceiptHandle=message["ReceiptHandle"])
                moved += 1
    return moved


def _receive(sqs: "SQSClient", url: str) -> list["MessageTypeDef"]:
    received = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=BATCH_SIZE,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return received.get("Messages", [])


def _entry(message: "MessageTypeDef") -> "SendMessageBatchRequestEntryTypeDef":
    entry: SendMessageBatchRequestEntryTypeDef = {"Id": message["MessageId"], "MessageBody": message["Body"]}
    if attributes := message.get("MessageAttributes"):
        entry["MessageAttributes"] = dict(attributes)
    if group := message.get("Attributes", {}).get("MessageGroupId"):
        entry["MessageGroupId"] = group
    return entry
