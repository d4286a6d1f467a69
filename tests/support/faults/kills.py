"""Kills deliveries in the middle of a step, each with a message and a conversation of its own."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from itertools import count
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import boto3

from local import Behaviour, Stack
from local.services.aws import CREDENTIALS, SECRET
from local.template.template import REGION
from tests.support.database import Database
from tests.support.faults.delivery_process import Victims
from tests.support.faults.delivery_steps import CLAIMED, Known, Step, Story, World, made_unknown_at
from tests.support.faults.outbound_queue import OutboundQueue
from tests.support.faults.proxies import HTTP, POSTGRES, Door, Side, Wire
from tests.support.http_client import post
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FUNCTION = "DeliverMessage"
SECONDS = 21
"""That a killed delivery has: about the fewest with which it begins, so that its lease ends soon."""
SILENT = Behaviour(reports=())
"""No report tells what became of a message."""
BUSY = Behaviour(status=429, times=1)
SENDERS = {World.ONCE: "+12016660001", World.AGAIN: "+12016660001", World.ASKED: "+12016660002"}
OPTIONS = {
    "relay_every": 0,
    "polling": False,
    "without_status_lookup": ["sms"],
    "parameters": {
        "Providers": "sms,asked=sms",
        "SenderProviders": '{"+12016660001": ["sms"], "+12016660002": ["asked"]}',
        "UnknownAfter": "2",
    },
}
"""Of the stack whose messages are delivered by those who are killed."""


class Killed(NamedTuple):
    """The message of a delivery that was."""

    id: int
    world: World
    step: Step


class Killing:
    def __init__(self, stack: Stack, database: Database) -> None:
        self._stack = stack
        self._database = database
        self._contacts = count()
        self.queue = OutboundQueue(stack)
        self.killed: list[Killed] = []
        self.bystanders: list[int] = []
        """Messages that were to be delivered beside those, or after them."""
        aws, postgres = urlsplit(stack.aws_endpoint), urlsplit(stack.database_url)
        provider = urlsplit(stack.provider.url)
        self._wires = {
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
            undo.enter_context(closing(self._door))
            for wire in self._wires.values():
                undo.enter_context(closing(wire))
            undo.enter_context(closing(self._victims))

    def at(self, step: Step, world: World) -> None:
        """Kills the delivery of a new message in the middle of this step."""
        ids = self._prepared(step.story, world)
        self._kill(step, ids)
        self.killed.append(Killed(ids[0], world, step))
        if step.story in (Story.RETRY, Story.MISSED):
            self.queue.lose(ids[0])  # it came back before the message was due again

    def calls(self, story: Story, world: World) -> Mapping[str, list[str]]:
        """All that a delivery has to do with others, by the wire; it is killed when it is done."""
        ids = self._prepared(story, world)
        pid = self._begin(Step(story, "", "", Side.AFTER, Known.SENT), ids)
        assert self._victims.result() == {"batchItemFailures": []}
        seen = {name: wire.calls for name, wire in self._wires.items()}
        self._end(pid)
        return seen

    def _prepared(self, story: Story, world: World) -> list[int]:
        """The messages whose dispatches a delivery of this story gets, the first of them its own."""
        id, contact = self._accept(world)
        if story is Story.NEXT:
            self.bystanders.append(self._accept(world, contact)[0])
            self.queue.lose(self.bystanders[-1])
        elif story is Story.WAITING:
            busy, contact = self._accept(world)
            self._kill(CLAIMED, [busy])
            self.killed.append(Killed(busy, world, CLAIMED))
            self.bystanders.append(self._accept(world, contact)[0])
            return [id, self.bystanders[-1]]
        elif dead := made_unknown_at(story):
            self._kill(dead, [id])
            self._pass_the_clock(id)
        return [id]

    def _accept(self, world: World, contact: str = "") -> tuple[int, str]:
        to = contact or f"+1804{next(self._contacts):07}"
        policy = {} if world is World.ASKED else {"delivery_policy": world}
        fields = {"from": SENDERS[world], "to": to, "body": "Hello", **policy}
        answer = post(f"{self._stack.url}/api/messages/sms", fields)
        assert answer.status == 202, answer
        return int(answer.body["id"]), to

    def _pass_the_clock(self, id: int) -> None:
        """Half a minute, after which the relay makes it unknown, and as long as evidence is waited for."""
        self._database.rows("UPDATE leases SET expires_at = '-infinity' WHERE message_id = :id", id=id)
        assert self._database.rows("SELECT expire_leases(1)") == [[id]]
        earlier = "UPDATE attempts SET ended_at = ended_at - interval '1 h' WHERE message_id = :id"
        self._database.rows(earlier, id=id)

    def _kill(self, step: Step, ids: list[int]) -> None:
        pid = self._begin(step, ids)
        if step.side is Side.CONNECTION:
            eventually(lambda: self._door.waits(pid))
        elif step.side is Side.AFTER:
            assert self._victims.result() == {"batchItemFailures": []}
        else:
            assert self._wires[step.wire].held.wait(15), f"it did not come to this: {step.name}"
        self._end(pid)

    def _begin(self, step: Step, ids: list[int]) -> int:
        """The number of the process that now delivers these, and will come to the step."""
        self._stack.provider.behave(*[BUSY] * (step.story is Story.RETRY), SILENT)
        if step.side in (Side.REQUEST, Side.ANSWER):
            self._wires[step.wire].hold(step.call, step.side)
        event = {"Records": [self.queue.record(id) for id in ids]}
        door = step.wire if step.side is Side.CONNECTION else ""
        return self._victims.begin(event, SECONDS, self._variables(door))

    def _end(self, pid: int) -> None:
        self._victims.kill(pid)
        for wire in self._wires.values():
            wire.drop()

    def _variables(self, door: str) -> dict[str, str]:
        """Those of a deployment in which a wire stands before everything, and before one thing the door."""
        ports = {name: wire.port for name, wire in self._wires.items()} | {door: self._door.port}
        database = urlsplit(self._stack.database_url)
        place = f"{database.username}:{database.password}@127.0.0.1:{ports['postgres']}"
        return {
            "DATABASE_URL": database._replace(netloc=place).geturl(),
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
        for port in (self._wires["provider"].port, self._door.port):
            led = kept.replace(self._stack.provider.url, f"http://127.0.0.1:{port}")
            client.create_secret(Name=_secret(port), SecretString=led)


def _secret(port: int) -> str:
    """The name of the one that leads to the provider by this port."""
    return f"provider-at-{port}"
