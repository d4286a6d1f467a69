"""The playing provider: speaks the house contract from the other side, and misbehaves when told to.

POST   /<instance>                       what the product sends: kept, answered with an id, reported on
GET    /<instance>/lookup?reference=...  whether it has taken a message of this reference
GET    /requests                         what it was sent, the newest last; /lookups what it was asked
DELETE /requests                         forgets that it was asked anything; what it has taken it knows still
PUT    /behaviour                        how it is from now on: the fields of Behaviour, or a list of such;
                                         {} is well-behaved again; with ?seed=7 others have the shares
PUT    /<instance>[/lookup]/behaviour    how it is there alone; a look-up heeds nothing else
"""

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from local import behaviour
from local.behaviour import Behaviour, Behaviours
from local.record import Received, Record
from local.reports import Reporter
from local.server import Raw, Request, Response, Server, json_response

ID_FIELDS = {"sms": "messaging_provider_id", "email": "xillio_id"}
HOUSE = {"sms": "sms", "email": "email"}
GARBAGE = Raw([b"\x00\xff SSH-2.0-nobody\r\n" * 10])
HALF = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 60\r\n\r\n{"message'
DRIP_SECONDS = 0.25


class Provider:
    def __init__(
        self,
        port: int,
        gateway: str,
        secret: str,
        host: str = "127.0.0.1",
        instances: Mapping[str, str] = HOUSE,
    ) -> None:
        """`gateway` is where the reports go; `secret` signs and verifies, both ways; `instances` are the
        names by which the product knows it, each with its type."""
        self._gateway = gateway
        self._signer = Webhook(secret)
        self._instances = instances
        self._lock = threading.Lock()
        self._sent = Record()
        self._asked = Record()
        self._taken: dict[tuple[str, str], str] = {}
        self._everywhere = Behaviours()
        self._there: dict[str, Behaviours] = {}
        self._server = _Door(host, port, self._answer)
        self._reporter = Reporter(self._signer)
        self._stopped = threading.Event()
        self.url = self._server.url

    def start(self) -> None:
        self._server.start()
        self._reporter.start()

    def stop(self) -> None:
        self._stopped.set()
        self._server.stop()
        self._reporter.stop()

    @property
    def requests(self) -> list[Received]:
        """What it was sent, in the order in which it came."""
        return self._sent.all()

    @property
    def lookups(self) -> list[Received]:
        return self._asked.all()

    def forget(self) -> None:
        self._sent.forget()
        self._asked.forget()

    def behave(self, *told: Behaviour, at: str | None = None, seed: int = 0) -> None:
        """From now on, and everywhere unless `at` names a path; told nothing, well."""
        with self._lock:
            if at is None:
                self._everywhere = Behaviours(told, seed)
                self._there.clear()
            else:
                self._there[at] = Behaviours(told, seed)

    def turn_away(self, connections: int) -> None:
        """Closes the next ones before it has read anything."""
        self._server.to_turn_away = connections

    def _answer(self, request: Request) -> Response | Raw | None:
        match request.method, request.path.strip("/").split("/"):
            case "POST", [instance] if instance in self._instances:
                return self._message(instance, request)
            case "GET", [instance, "lookup"] if instance in self._instances:
                return self._look_up(instance, request)
            case "GET", ["requests" | "lookups" as which]:
                record = self.requests if which == "requests" else self.lookups
                return json_response(200, [asdict(received) for received in record])
            case "DELETE", ["requests"]:
                self.forget()
                return Response(204)
            case "PUT", [*path, "behaviour"] if not path or path[0] in self._instances:
                return self._told("/".join(path) or None, request)
        return json_response(404, {"message": "Not Found"})

    def _told(self, path: str | None, request: Request) -> Response:
        try:
            asked = json.loads(request.body or b"{}")
            seed = int(parse_qs(request.query).get("seed", ["0"])[0])
        except ValueError:
            asked, seed = None, 0
        if not isinstance(asked, (dict, list)):
            return json_response(400, {"message": "not a JSON object or a list of such"})
        try:
            told = behaviour.read(asked)
        except ValueError as error:
            return json_response(422, {"message": str(error)})
        self.behave(*told, at=path, seed=seed)
        return json_response(200, asked)

    def _message(self, instance: str, request: Request) -> Response | Raw | None:
        headers = _headers(request)
        try:
            message = self._signer.verify(request.body, headers)
        except (WebhookVerificationError, ValueError):
            body = request.body.decode("utf-8", "replace")
            return self._refuse(self._sent, Received(request.path, headers, body))
        reference = str(message.get("reference"))
        told, seconds = self._behaviour(instance, reference)
        provider_id = f"{instance}-{uuid.uuid4()}" if told.takes else None
        number = self._sent.add(Received(request.path, headers, message, provider_id))
        name = ID_FIELDS[self._instances[instance]]
        if provider_id is not None:
            with self._lock:
                self._taken.setdefault((instance, reference), provider_id)
            identity = {name: provider_id} | ({"reference": reference} if told.reference else {})
            self._reporter.report(self._webhook(instance), identity, told.reports, told.report_delay)
        self._stopped.wait(seconds)
        return self._end(self._sent, number, told, {name: provider_id} if provider_id else None)

    def _look_up(self, instance: str, request: Request) -> Response | Raw | None:
        headers = _headers(request)
        reference = parse_qs(request.query).get("reference", [""])[0]
        asked = Received(request.path, headers, {"reference": reference})
        try:
            self._signer.verify(request.body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            return self._refuse(self._asked, asked)
        told, seconds = self._behaviour(f"{instance}/lookup", reference)
        with self._lock:
            provider_id = self._taken.get((instance, reference))
        number = self._asked.add(replace(asked, id=provider_id))
        self._stopped.wait(seconds)
        if provider_id is None and told.takes:
            told = replace(told, status=404)
        name = ID_FIELDS[self._instances[instance]]
        return self._end(self._asked, number, told, {name: provider_id} if told.takes else None)

    def _behaviour(self, path: str, reference: str) -> tuple[Behaviour, float]:
        with self._lock:
            elsewhere = Behaviours() if path.endswith("/lookup") else self._everywhere
            return self._there.get(path, elsewhere).draw(path, reference)

    def _refuse(self, record: Record, received: Received) -> Response:
        record.end(record.add(received), 401)
        return json_response(401, {"message": "the signature does not match"})

    def _end(
        self, record: Record, number: int, told: Behaviour, answer: Mapping[str, Any] | None
    ) -> Response | Raw | None:
        record.end(number, told.status if told.close is None and told.answer is None else None)
        if told.close is not None:
            return None
        match told.answer:
            case "garbage":
                return GARBAGE
            case "half":
                return Raw([HALF])
            case "drip":
                return Raw(self._drops(), DRIP_SECONDS)
        extra = _retry_after(told)
        if isinstance(told.body, str):
            return Response(told.status, told.body.encode(), extra)
        return json_response(told.status, told.body or answer or {"message": "told to fail"}, extra)

    def _drops(self) -> Iterator[bytes]:
        yield HALF
        while not self._stopped.is_set():
            yield b" "

    def _webhook(self, instance: str) -> str:
        kind = self._instances[instance]
        return f"{self._gateway}/api/webhooks/{kind}" + (f"/{instance}" if instance != kind else "")


class _Door(Server):
    to_turn_away = 0

    def verify_request(self, *_: object) -> bool:
        """Asked of each connection; one that is not let in is closed."""
        if not self.to_turn_away:
            return True
        self.to_turn_away -= 1
        return False


def _retry_after(told: Behaviour) -> list[tuple[str, str]]:
    if told.retry_at is not None:
        moment = datetime.now(UTC) + timedelta(seconds=told.retry_at)
        return [("retry-after", format_datetime(moment, usegmt=True))]
    return [("retry-after", str(told.retry_after))] if told.retry_after is not None else []


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}
