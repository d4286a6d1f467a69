"""The queue of dispatches, from which a test takes what it hands over itself."""

from typing import Any

from local import Stack
from tests.support.waiting import eventually

FOREVER = 3600
"""Seconds for which what was received is hidden from others: longer than any test."""


class OutboundQueue:
    def __init__(self, stack: Stack) -> None:
        self._sqs = stack.sqs()
        [self._url] = [one.queue.url for one in stack.template.sources if one.function == "DeliverMessage"]
        self._received: dict[str, list[str]] = {}
        """The receipts of each id's entries."""

    def record(self, id: int) -> dict[str, str]:
        """As a delivery gets it."""
        self._receive(id)
        return {"messageId": f"record-{id}", "body": str(id)}

    def lose(self, id: int) -> None:
        """Its dispatch is nowhere any more."""
        self._receive(id)
        for receipt in self._received.pop(str(id)):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    def give_back(self) -> None:
        """The queue does so with what was received and not deleted, once its visibility is over."""
        for receipts in self._received.values():
            for receipt in receipts:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=0
                )

    def send(self, *ids: int) -> None:
        """At most ten."""
        entries: Any = [{"Id": str(place), "MessageBody": str(id)} for place, id in enumerate(ids)]
        self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)

    def size(self) -> int:
        """What is ready, delayed or with somebody."""
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])["Attributes"]
        return sum(int(number) for name, number in found.items() if name.startswith("ApproximateNumber"))

    def _receive(self, id: int) -> None:
        eventually(lambda: self._look(id))

    def _look(self, id: int) -> bool:
        received = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=FOREVER
        )
        for message in received.get("Messages", []):
            self._received.setdefault(message["Body"], []).append(message["ReceiptHandle"])
        found = str(id) in self._received
        if not found:  # on a machine that has much to do a dispatch may take too long, and is lost
            self.send(id)
        return found
