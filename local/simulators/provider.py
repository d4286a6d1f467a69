"""The playing provider: is any number of vendors' instances, and misbehaves when told to.

*      /<instance>[/...]                 the vendor's own API: what the product sends is kept, answered with
                                         an id and reported on; it may be asked about a message as well
POST   /<instance>/inbound               has it send something in: the fields of Letter
GET    /requests                         what it was sent, the newest last; /lookups what it was asked
DELETE /requests                         forgets that it was asked anything; what it has taken it knows still
PUT    /behaviour                        how it is from now on: the fields of Behaviour, or a list of such;
                                         {} is well-behaved again; with ?seed=7 others have the shares
PUT    /<instance>[/lookup]/behaviour    how it is there alone; a look-up heeds nothing else
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from urllib.parse import parse_qs

from pydantic import ValidationError

from local.http.server import Raw, Request, Response, Server, json_response
from local.simulators import behaviour
from local.simulators.behaviour import Behaviour, Behaviours
from local.simulators.record import Record, RecordedRequest
from local.simulators.reports import Reporter
from local.simulators.vendor import Answered, Letter, Vendor, headers
from local.simulators.vendors import DEFAULT_INSTANCES, VENDORS

NOT_FOUND = json_response(404, {"message": "Not Found"})
GARBAGE = Raw([b"\x00\xff SSH-2.0-nobody\r\n" * 10])
HALF = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 60\r\n\r\n{"message'
DRIP_SECONDS = 0.25


class ProviderSimulator:
    def __init__(
        self,
        port: int,
        gateway: str,
        secret: str,
        host: str = "127.0.0.1",
        instances: Mapping[str, str] = DEFAULT_INSTANCES,
    ) -> None:
        """`gateway` is where the reports go; of `secret` all is made that signs and verifies, both ways;
        `instances` are the names by which the product knows it, each with its type."""
        self.vendors: Mapping[str, Vendor] = {
            name: VENDORS[kind](name, gateway, secret) for name, kind in instances.items()
        }
        self._lock = threading.Lock()
        self._sent = Record()
        self._questions = Record()
        self._everywhere = Behaviours()
        self._there: dict[str, Behaviours] = {}
        self._server = _Door(host, port, self._answer)
        self._reporter = Reporter()
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
    def requests(self) -> list[RecordedRequest]:
        """What it was sent, in the order in which it came."""
        return self._sent.all()

    @property
    def lookups(self) -> list[RecordedRequest]:
        return self._questions.all()

    def clear(self) -> None:
        self._sent.clear()
        self._questions.clear()

    def behave(self, *told: Behaviour, at: str | None = None, seed: int = 0) -> None:
        """From now on, and everywhere unless `at` names a path; told nothing, well."""
        with self._lock:
            if at is None:
                self._everywhere = Behaviours(told, seed)
                self._there.clear()
            else:
                self._there[at] = Behaviours(told, seed)

    def close_next_connections(self, connections: int) -> None:
        """Closes the next ones before it has read anything."""
        self._server.connections_to_close = connections

    def _answer(self, request: Request) -> Response | Raw | None:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["requests" | "lookups" as which]:
                record = self.requests if which == "requests" else self.lookups
                return json_response(200, [asdict(received) for received in record])
            case "DELETE", ["requests"]:
                self.clear()
                return Response(204)
            case "PUT", [*path, "behaviour"] if not path or path[0] in self.vendors:
                return self._told("/".join(path) or None, request)
            case "POST", [instance, "inbound"] if instance in self.vendors:
                return self._sends_in(self.vendors[instance], request)
            case _, [instance, *path] if instance in self.vendors:
                return self._asked(instance, path, request)
        return NOT_FOUND

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
        known = self._words(path)
        if unknown := sorted({word for one in told for word in one.reports} - known):
            message = f"reports: {', '.join(unknown)} is not reported; what is: {', '.join(sorted(known))}"
            return json_response(422, {"message": message})
        self.behave(*told, at=path, seed=seed)
        return json_response(200, asked)

    def _words(self, path: str | None) -> set[str]:
        """What may be reported there, or by any."""
        there = path and path.partition("/")[0]
        return {
            word for name, vendor in self.vendors.items() if there in (None, name) for word in vendor.words
        }

    def _sends_in(self, vendor: Vendor, request: Request) -> Response:
        try:
            post = vendor.inbound(Letter.model_validate_json(request.body))
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()]
            return json_response(422, {"message": "; ".join(wrong)})
        except ValueError as error:
            return json_response(422, {"message": str(error)})
        try:
            status, answer = post.send()
        except OSError as error:
            return json_response(502, {"message": f"no answer of the webhook: {error}"})
        return json_response(200, {"status": status, "answer": answer})

    def _asked(self, instance: str, path: Sequence[str], request: Request) -> Response | Raw | None:
        vendor = self.vendors[instance]
        asked = vendor.read(request, path)
        if asked is None:
            return NOT_FOUND
        record = self._questions if asked.looks_up else self._sent
        received = RecordedRequest(request.path, headers(request), asked.body)
        if asked.refusal is not None:
            record.end(record.add(received), asked.refusal.status)
            return asked.refusal
        told, seconds = self._behaviour(f"{instance}/lookup" if asked.looks_up else instance, asked.reference)
        answered = Answered(None, vendor.failure(told.status))
        if told.takes:
            answered = vendor.answer(asked)
        number = record.add(replace(received, id=answered.id))
        if answered.id is not None and not asked.looks_up:
            self._reporter.report(vendor.reports(asked, answered.id, told), told.report_delay)
        self._stopped.wait(seconds)
        return self._end(record, number, told, answered.response)

    def _behaviour(self, path: str, reference: str) -> tuple[Behaviour, float]:
        with self._lock:
            elsewhere = Behaviours() if path.endswith("/lookup") else self._everywhere
            return self._there.get(path, elsewhere).draw(path, reference)

    def _end(self, record: Record, number: int, told: Behaviour, own: Response) -> Response | Raw | None:
        answer = _as_told(told, own)
        record.end(number, answer.status if told.close is None and told.answer is None else None)
        if told.close is not None:
            return None
        match told.answer:
            case "garbage":
                return GARBAGE
            case "half":
                return Raw([HALF])
            case "drip":
                return Raw(self._drops(), DRIP_SECONDS)
        return answer

    def _drops(self) -> Iterator[bytes]:
        yield HALF
        while not self._stopped.is_set():
            yield b" "


class _Door(Server):
    connections_to_close = 0

    def verify_request(self, *_: object) -> bool:
        """Asked of each connection; one that is not let in is closed."""
        if not self.connections_to_close:
            return True
        self.connections_to_close -= 1
        return False


def _as_told(told: Behaviour, own: Response) -> Response:
    """A status of 200 is that of the vendor's own answer, which may be another."""
    status = own.status if told.status == HTTPStatus.OK else told.status
    extra = _retry_after(told)
    if isinstance(told.body, str):
        return Response(status, told.body.encode(), extra)
    if told.body:
        return json_response(status, told.body, extra)
    return replace(own, status=status, headers=[*own.headers, *extra])


def _retry_after(told: Behaviour) -> list[tuple[str, str]]:
    if told.retry_at is not None:
        moment = datetime.now(UTC) + timedelta(seconds=told.retry_at)
        return [("retry-after", format_datetime(moment, usegmt=True))]
    return [("retry-after", str(told.retry_after))] if told.retry_after is not None else []
