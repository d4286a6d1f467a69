"""The outbound queue, from which a test receives ids to deliver them itself."""

from typing import Any

from local import Stack
from tests.support.waiting import eventually

FOREVER = 3600
"""The visibility timeout in seconds: longer than any test."""


class OutboundQueue:
    def __init__(self, stack: Stack) -> None:
        self._sqs = stack.sqs()
        [self._url] = [
            source.queue.url for source in stack.template.sources if source.function == "DeliverMessage"
        ]
        self._received: dict[str, list[str]] = {}
        """The receipt handles of each id."""

    def record(self, id: int) -> dict[str, str]:
        """Receive an id. Returns it as a record of the function's event."""
        self._receive(id)
        return {"messageId": f"record-{id}", "body": str(id)}

    def lose(self, id: int) -> None:
        """Delete the dispatch of this id."""
        self._receive(id)
        for receipt in self._received.pop(str(id)):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    def give_back(self) -> None:
        """Make received ids visible again, as SQS does after the visibility timeout."""
        for receipts in self._received.values():
            for receipt in receipts:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=0
                )

    def send(self, *ids: int) -> None:
        """Send ids, at most ten."""
        entries: Any = [{"Id": str(position), "MessageBody": str(id)} for position, id in enumerate(ids)]
        self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)

    def size(self) -> int:
        """The number of visible, delayed and received messages."""
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])["Attributes"]
        return sum(int(number) for name, number in attributes.items() if name.startswith("ApproximateNumber"))

    def _receive(self, id: int) -> None:
        eventually(lambda: self._try_to_receive(id))

    def _try_to_receive(self, id: int) -> bool:
        received = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=FOREVER
        )
        for message in received.get("Messages", []):
            self._received.setdefault(message["Body"], []).append(message["ReceiptHandle"])
        if str(id) in self._received:
            return True
        self.send(id)  # on a busy machine the dispatch may have timed out
        return False
