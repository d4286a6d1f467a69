"""SQS, S3 and Secrets Manager as moto plays them in this process, and what the product holds of them."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from moto.core.models import botocore_stubber

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef


class Aws:
    """A queue for each direction, a bucket, and secrets as they are asked for."""

    bucket = "inbound-requests"
    media = "media"

    def __init__(self) -> None:
        self._sqs, self._secrets, self._s3 = _clients()
        self.queue_url = self._sqs.create_queue(QueueName="outbound")["QueueUrl"]
        self.inbound_url = self._sqs.create_queue(QueueName="inbound")["QueueUrl"]
        for bucket in (self.bucket, self.media):
            self._s3.create_bucket(Bucket=bucket)

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

    def held(self, seconds: int = 0) -> list[dict[str, Any]]:
        """What is in the inbound queue, as records of an event; it comes again in so many seconds."""
        found = self._sqs.receive_message(
            QueueUrl=self.inbound_url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=seconds,
            AttributeNames=["All"],
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for message in found.get("Messages", [])
        ]

    def objects(self, bucket: str = bucket) -> list[str]:
        """The keys in a bucket."""
        return [item["Key"] for item in self._s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def content(self, bucket: str, key: str) -> bytes:
        return self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def lose_the_queues(self) -> None:
        for url in (self.queue_url, self.inbound_url):
            self._sqs.delete_queue(QueueUrl=url)


@cache
def _clients() -> tuple["SQSClient", "SecretsManagerClient", "S3Client"]:
    return boto3.client("sqs"), boto3.client("secretsmanager"), boto3.client("s3")


def forget() -> None:
    """The product's clients, which keep the address that they were made for."""
    from messaging.aws import boto_clients, secrets

    for client in (boto_clients.sqs, boto_clients.s3):  # an environment ends with its clients
        client.cache_clear()
    secrets._cache.clear()  # noqa: SLF001


def answer_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has moto answer also what is sent by botocore's session alone: it listens to clients."""
    send = URLLib3Session.send

    def answer(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        return botocore_stubber("before-send", request) or send(session, request)

    monkeypatch.setattr(URLLib3Session, "send", answer)
