"""Kills deliveries in the middle of a step, each with a message and a conversation of its own."""

from collections.abc import Mapping
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import boto3

from local import Behaviour, Stack
from local.aws import CREDENTIALS, SECRET
from local.template import REGION
from tests.e2e.client import post
from tests.e2e.faults.steps import Known, Step, Story
from tests.e2e.faults.victim import Victims
from tests.e2e.faults.wire import HTTP, POSTGRES, Door, Side, Wire
from tests.local.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FUNCTION = "DeliverMessage"
SECONDS = 16
"""That a killed delivery has: about the fewest with which it begins, so that its lease ends soon."""
SILENT = Behaviour(reports=())
"""No report tells what became of a message."""
BUSY = Behaviour(status=503, times=1)


class World(NamedTuple):
    """Under what a message is sent."""

    name: str
    sender: str
    """By which its provider is chosen."""
    policy: str


class Killed(NamedTuple):
    id: int
    world: World
    step: Step


class Killing:
    """Of a stack that polls no queue: its messages are delivered by those who are killed here."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._contacts = count()
        self._receipts: list[str] = []
        [self._queue] = [one.queue.url for one in stack.template.sources if one.function == FUNCTION]
        aws, postgres = urlsplit(stack.aws_endpoint), urlsplit(stack.database_url)
        provider = urlsplit(stack.provider.url)
        self.wires = {
            "postgres": Wire(postgres.port or 0, POSTGRES),
            "provider": Wire(provider.port or 0, HTTP),
            "secrets": Wire(aws.port or 0, HTTP),
            "queue": Wire(aws.port or 0, HTTP),
        }
        self._door = Door()
        platform = {**CREDENTIALS, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        declared = stack.functions[FUNCTION].declared
        self._victims = Victims(declared, platform, stack.folder / "victims.log")
        self._keep_secrets()

    def close(self) -> None:
        with ExitStack() as undo:
            undo.callback(self._door.close)
            for wire in self.wires.values():
                undo.callback(wire.close)
            undo.callback(self._victims.close)

    def at(self, step: Step, world: World) -> Killed:
        """Accepts a message and kills its delivery in the middle of the step."""
        id, pid = self._begin(step, world)
        if step.side is Side.CONNECTION:
            eventually(lambda: self._door.waits(pid))
        elif step.story is Story.LAST:
            assert self._victims.result() == {"batchItemFailures": []}
        else:
            assert self.wires[step.wire].held.wait(15), f"{step.name}: it did not come to that"
        self._end(pid)
        return Killed(id, world, step)

    def calls(self, story: Story, world: World) -> Mapping[str, list[str]]:
        """All that a delivery whom nobody disturbs has to do with others."""
        step = Step("", Known.RECORD, "", "", Side.ANSWER, story)
        _, pid = self._begin(step, world)
        assert self._victims.result() == {"batchItemFailures": []}
        seen = {name: wire.calls for name, wire in self.wires.items()}
        self._end(pid)
        return seen

    def give_back(self) -> None:
        """The queue does so with what was received and not deleted, once its visibility is over."""
        for receipt in self._receipts:
            self._stack.sqs().change_message_visibility(
                QueueUrl=self._queue, ReceiptHandle=receipt, VisibilityTimeout=0
            )

    def _begin(self, step: Step, world: World) -> tuple[int, int]:
        """The message and the process that delivers it."""
        contact = f"+1804{next(self._contacts):07}"
        fields = {"from": world.sender, "to": contact, "body": "Hello"}
        answer = post(f"{self._stack.url}/api/messages/sms", fields)
        assert answer.status == 202, answer
        id = int(answer.body["id"])
        record = eventually(lambda: self._received(id))
        self._stack.provider.behave(*[BUSY] * (step.story is Story.RETRY), SILENT)
        if step.side is not Side.CONNECTION and step.wire:
            self.wires[step.wire].hold(step.call, step.side)
        door = step.wire if step.side is Side.CONNECTION else ""
        return id, self._victims.begin({"Records": [record]}, SECONDS, self._variables(door))

    def _end(self, pid: int) -> None:
        self._victims.kill(pid)
        for wire in self.wires.values():
            wire.drop()
        self._stack.provider.behave(SILENT)

    def _received(self, id: int) -> dict[str, Any] | None:
        """The record of this message's nudge. Others that come instead are given back in the end as well."""
        received = self._stack.sqs().receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10, VisibilityTimeout=1800
        )
        found = None
        for message in received.get("Messages", []):
            self._receipts.append(message["ReceiptHandle"])
            if message["Body"] == str(id):
                found = {"messageId": message["MessageId"], "body": message["Body"]}
        if found is None:  # on a machine that has much to do a nudge may take too long, and is lost
            self._stack.sqs().send_message(QueueUrl=self._queue, MessageBody=str(id))
        return found

    def _variables(self, door: str) -> dict[str, str]:
        """Those of a deployment in which a wire stands before everything, and before one thing the door."""
        ports = {name: wire.port for name, wire in self.wires.items()} | {door: self._door.port}
        database = urlsplit(self._stack.database_url)
        return {
            "DATABASE_URL": database._replace(
                netloc=f"{database.username}:{database.password}@127.0.0.1:{ports['postgres']}"
            ).geturl(),
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{ports['secrets']}",
            "AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{ports['queue']}",
            "PROVIDER_SECRET_ARN": _secret(ports["provider"]),
        }

    def _keep_secrets(self) -> None:
        """What leads to the provider by its wire, and before the door."""
        client: SecretsManagerClient = boto3.client(
            "secretsmanager",
            endpoint_url=self._stack.aws_endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        kept = client.get_secret_value(SecretId=SECRET)["SecretString"]
        for port in (self.wires["provider"].port, self._door.port):
            led = kept.replace(self._stack.provider.url, f"http://127.0.0.1:{port}")
            client.create_secret(Name=_secret(port), SecretString=led)


def _secret(port: int) -> str:
    """The name of the one that leads to the provider by this port."""
    return f"provider-at-{port}"
