"""Kills deliveries in the middle of a step, each with its own message and conversation."""

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
from tests.support.faults.delivery_steps import CLAIMED, Evidence, Step, Story, World, made_unknown_at
from tests.support.faults.outbound_queue import OutboundQueue
from tests.support.faults.proxies import HTTP, POSTGRES, Door, Side, Wire
from tests.support.faults.unknown_outcomes import UNKNOWN_AFTER
from tests.support.http_client import post
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FUNCTION = "DeliverMessage"
SECONDS = 21
"""The time that a killed delivery has. It is near the minimum, so that the lease ends soon."""
SILENT = Behaviour(reports=())
"""No report resolves an outcome."""
BUSY = Behaviour(status=429, times=1)
SENDERS = {World.ONCE: "+12016660001", World.AGAIN: "+12016660001", World.LOOKUP: "+12016660002"}
OPTIONS = {
    "relay_every": 0,
    "polling": False,
    "without_status_lookup": ["sms"],
    "parameters": {
        "Providers": "sms,with_lookup=sms",
        "SenderProviders": '{"+12016660001": ["sms"], "+12016660002": ["with_lookup"]}',
        **UNKNOWN_AFTER,
    },
}
"""The options of the stack whose deliveries are killed."""


class Killed(NamedTuple):
    """The message of a killed delivery."""

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
        """Other messages of the same batches and conversations."""
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
        self._create_secrets()

    def close(self) -> None:
        with ExitStack() as undo:
            undo.enter_context(closing(self._door))
            for wire in self._wires.values():
                undo.enter_context(closing(wire))
            undo.enter_context(closing(self._victims))

    def at(self, step: Step, world: World) -> None:
        """Kills the delivery of a new message at this step."""
        ids = self._prepared(step.story, world)
        self._kill(step, ids)
        self.killed.append(Killed(ids[0], world, step))
        if step.story in (Story.RETRY, Story.MISSED):
            self.queue.lose(ids[0])  # the dispatch came before the message was due

    def calls(self, story: Story, world: World) -> Mapping[str, list[str]]:
        """Return all calls of a complete delivery, by wire."""
        ids = self._prepared(story, world)
        pid = self._begin(Step(story, "", "", Side.AFTER, Evidence.SENT), ids)
        assert self._victims.result() == {"batchItemFailures": []}
        calls = {name: wire.calls for name, wire in self._wires.items()}
        self._end(pid)
        return calls

    def _prepared(self, story: Story, world: World) -> list[int]:
        """Prepare a story. Returns the ids of the batch, the message of the story first."""
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
        policy = {} if world is World.LOOKUP else {"delivery_policy": world}
        fields = {"from": SENDERS[world], "to": to, "body": "Hello", **policy}
        answer = post(f"{self._stack.url}/api/messages/sms", fields)
        assert answer.status == 202, answer
        return int(answer.body["id"]), to

    def _pass_the_clock(self, id: int) -> None:
        """Expire the lease and move the attempt back, so that the outcome can be resolved."""
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
            assert self._wires[step.wire].held.wait(15), f"the delivery did not reach the step: {step.name}"
        self._end(pid)

    def _begin(self, step: Step, ids: list[int]) -> int:
        """Start a delivery that stops at the step. Returns its pid."""
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
        """The variables of a deployment behind the wires, and with the door in place of one of them."""
        ports = {name: wire.port for name, wire in self._wires.items()} | {door: self._door.port}
        database = urlsplit(self._stack.database_url)
        netloc = f"{database.username}:{database.password}@127.0.0.1:{ports['postgres']}"
        return {
            "DATABASE_URL": database._replace(netloc=netloc).geturl(),
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{ports['secrets']}",
            "AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{ports['queue']}",
            "PROVIDER_SECRET_ARN": _secret(ports["provider"]),
        }

    def _create_secrets(self) -> None:
        """Create secrets with the provider's URL at its wire, and at the door."""
        client: SecretsManagerClient = boto3.client(
            "secretsmanager",
            endpoint_url=self._stack.aws_endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        secret = client.get_secret_value(SecretId=SECRET)["SecretString"]
        for port in (self._wires["provider"].port, self._door.port):
            changed = secret.replace(self._stack.provider.url, f"http://127.0.0.1:{port}")
            client.create_secret(Name=_secret(port), SecretString=changed)


def _secret(port: int) -> str:
    """The name of the secret with the provider's URL at this port."""
    return f"provider-at-{port}"
