"""SQS, S3 and Secrets Manager, simulated by moto in this process."""

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
    """The outbound and the inbound queue, the buckets, and secrets."""

    bucket = "inbound-requests"
    media = "media"

    def __init__(self) -> None:
        self._sqs, self._secrets, self._s3 = _clients()
        self.queue_url = self._sqs.create_queue(QueueName="outbound")["QueueUrl"]
        self.inbound_url = self._sqs.create_queue(QueueName="inbound")["QueueUrl"]
        for bucket in (self.bucket, self.media):
            self._s3.create_bucket(Bucket=bucket)

    def create_secret(self, fields: Any) -> str:
        """Create a secret with these fields, and return its ARN."""
        return self._secrets.create_secret(Name=f"secret-{uuid4()}", SecretString=json.dumps(fields))["ARN"]

    def receive_queued(self) -> list["MessageTypeDef"]:
        """Receive and delete the messages of the outbound queue that are not delayed."""
        received: list[MessageTypeDef] = []
        while True:
            response = self._sqs.receive_message(
                QueueUrl=self.queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
            )
            messages = response.get("Messages")
            if not messages:
                return received
            for message in messages:
                self._sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
            received += messages

    def count_delayed(self) -> int:
        """Count the messages of the outbound queue that are delayed."""
        queue = self._sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])
        return int(queue["Attributes"]["ApproximateNumberOfMessagesDelayed"])

    def receive_spooled(self, seconds: int = 0) -> list[dict[str, Any]]:
        """Receive from the inbound queue, as records of a Lambda event. They can be received again after
        `seconds`."""
        response = self._sqs.receive_message(
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
            for message in response.get("Messages", [])
        ]

    def list_keys(self, bucket: str = bucket) -> list[str]:
        """Return the keys of the objects in a bucket."""
        return [item["Key"] for item in self._s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def read_object(self, bucket: str, key: str) -> bytes:
        return self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def delete_queues(self) -> None:
        for url in (self.queue_url, self.inbound_url):
            self._sqs.delete_queue(QueueUrl=url)


@cache
def _clients() -> tuple["SQSClient", "SecretsManagerClient", "S3Client"]:
    return boto3.client("sqs"), boto3.client("secretsmanager"), boto3.client("s3")


def clear_caches() -> None:
    """Clear the cached clients and secrets, as a new environment has none."""
    from messaging.aws import boto_clients, secrets

    for client in (boto_clients.sqs, boto_clients.s3):
        client.cache_clear()
    secrets._cache.clear()  # noqa: SLF001


def answer_signed_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make moto answer the requests of aws/signed_client.py. By itself it answers only boto3's clients."""
    send = URLLib3Session.send

    def answer(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        return botocore_stubber("before-send", request) or send(session, request)

    monkeypatch.setattr(URLLib3Session, "send", answer)
