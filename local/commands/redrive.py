"""Puts dead letters back where they came from, as `aws sqs start-message-move-task` does in AWS.

(ministack has no such task.)
"""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import CannotStart
from local.options import Options
from local.services.aws import LocalAws
from local.template.template import Queue, Template

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

BATCH = 10
"""As many as SQS hands over or takes at once."""


def redrive(options: Options, say: Callable[[str], None]) -> int:
    """Of every queue of the template, against what runs at the options' ports. Raises CannotStart."""
    aws = LocalAws(options.folder, options.aws_port, options.host)
    template = Template(options.template, options.parameters, {}, endpoint=aws.endpoint, gateway="")
    try:
        for dead, source in _pairs(template.queues):
            say(f"{dead.resource}: {_move(aws.sqs(), dead.url, source.url)} put back to {source.resource}")
    except (BotoCoreError, ClientError) as error:
        raise CannotStart(f"{aws.endpoint}: {error}; is it running? see --aws-port") from error
    return 0


def _pairs(queues: list[Queue]) -> Iterator[tuple[Queue, Queue]]:
    """Each queue for dead letters, with the one from which they come."""
    by_arn = {queue.arn: queue for queue in queues}
    for queue in queues:
        if policy := queue.attributes.get("RedrivePolicy"):
            yield by_arn[json.loads(policy)["deadLetterTargetArn"]], queue


def _move(sqs: "SQSClient", dead: str, source: str) -> int:
    """A letter is deleted after it was sent: dying between the two doubles it, and loses none."""
    moved = 0
    while letters := sqs.receive_message(
        QueueUrl=dead,
        MaxNumberOfMessages=BATCH,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    ).get("Messages"):
        sent = sqs.send_message_batch(QueueUrl=source, Entries=[_entry(letter) for letter in letters])
        done = {entry["Id"] for entry in sent.get("Successful", [])}
        for letter in letters:
            if letter["MessageId"] in done:
                sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
                moved += 1
    return moved


def _entry(letter: "MessageTypeDef") -> "SendMessageBatchRequestEntryTypeDef":
    entry: SendMessageBatchRequestEntryTypeDef = {"Id": letter["MessageId"], "MessageBody": letter["Body"]}
    if attributes := letter.get("MessageAttributes"):
        entry["MessageAttributes"] = dict(attributes)
    if group := letter.get("Attributes", {}).get("MessageGroupId"):
        entry["MessageGroupId"] = group
    return entry
