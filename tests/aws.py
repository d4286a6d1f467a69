"""SQS and Secrets Manager as moto plays them in this process, and what the product holds of them."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef


class Aws:
    """One queue, and secrets as they are asked for."""

    def __init__(self) -> None:
        self._sqs, self._secrets = _clients()
        self.queue_url = self._sqs.create_queue(QueueName="outbound")["QueueUrl"]

    def keep(self, fields: Any) -> str:
        """The ARN of a secret that holds these fields."""
        return self._secrets.create_secret(Name=f"secret-{uuid4()}", SecretString=json.dumps(fields))["ARN"]

    def queued(self) -> list["MessageTypeDef"]:
        """What can be received now; it is gone then."""
        found: list[MessageTypeDef] = []
        while messages := self._sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
            found += messages
        return found

    def delayed(self) -> int:
        """How many are queued for later."""
        found = self._sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])
        return int(found["Attributes"]["ApproximateNumberOfMessagesDelayed"])

    def lose_the_queue(self) -> None:
        self._sqs.delete_queue(QueueUrl=self.queue_url)


@cache
def _clients() -> tuple["SQSClient", "SecretsManagerClient"]:
    return boto3.client("sqs"), boto3.client("secretsmanager")


def forget() -> None:
    """The product's clients, which keep the address that they were made for."""
    from messaging import queue, settings

    queue._client.cache_clear()  # noqa: SLF001  # an environment ends with its clients
    settings._secrets_manager.cache_clear()  # noqa: SLF001
