"""Event source mappings: pass a queue's messages to a function, and delete those that it has processed."""

import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.functions.environment import FunctionError
from local.functions.function import Function
from local.template.template import REGION, QueueSource

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef, MessageTypeDef

WAIT_SECONDS = 1
"""How long a poll waits for messages. A short wait costs little here, and everything stops soon."""
RETRY_SECONDS = 0.5


class Poller:
    """Threads that take turns to receive a batch. Each waits for the function before its next turn."""

    def __init__(self, source: QueueSource, function: Function, client: "SQSClient", threads: int) -> None:
        self._source = source
        self._queue = source.queue
        self._function = function
        self._client = client
        self._stopped = threading.Event()
        self._turn = threading.Lock()
        if source.concurrency:
            threads = min(threads, source.concurrency)
        self._threads = [threading.Thread(target=self._poll, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return at once: a running poll ends with its queue, and a running function with its environment."""
        self._stopped.set()

    def _poll(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._turn:
                    messages = self._receive()
                self._process(messages)
            except (BotoCoreError, ClientError):
                self._stopped.wait(RETRY_SECONDS)  # the queue is unavailable, or does not exist yet

    def _receive(self) -> list["MessageTypeDef"]:
        received = self._client.receive_message(
            QueueUrl=self._queue.url,
            MaxNumberOfMessages=min(self._source.batch_size, 10),
            WaitTimeSeconds=WAIT_SECONDS,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return received.get("Messages", [])

    def _process(self, messages: list["MessageTypeDef"]) -> None:
        if not messages or self._stopped.is_set():
            return
        try:
            result = self._function.invoke(
                {"Records": [_record(message, self._queue.arn) for message in messages]}
            )
        except FunctionError:
            return  # it is in the function's log; the messages return after their visibility timeout
        processed = self._processed(messages, result)
        if processed:
            entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(processed)
            ]
            self._client.delete_message_batch(QueueUrl=self._queue.url, Entries=entries)

    def _processed(self, messages: list["MessageTypeDef"], result: Any) -> list["MessageTypeDef"]:
        """Return the messages that the result does not report as failed."""
        if not self._source.reports_failures or not result:
            return messages
        try:
            failures = result["batchItemFailures"] or []
            failed = {failure["itemIdentifier"] for failure in failures}
        except (TypeError, KeyError):
            return []  # as in Lambda, an invalid response is a failure of the whole batch
        if failed - {message["MessageId"] for message in messages}:
            return []
        return [message for message in messages if message["MessageId"] not in failed]


def _record(message: "MessageTypeDef", arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {
                "stringValue": attribute.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": attribute["DataType"],
            }
            for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }
