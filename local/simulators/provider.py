"""The provider simulator: serves the APIs of several vendors' instances, and misbehaves on demand.

*      /<instance>[/...]                the vendor's API. It accepts messages and reports on them, and answers
                                        status lookups
POST   /<instance>/inbound              sends a message to the product; the fields of InboundMessage
GET    /requests                        the messages that it received, the newest last
GET    /lookups                         the status lookups that it received, the newest last
DELETE /requests                        clears both lists; it still knows the messages it accepted
PUT    /behaviour                       sets its behaviour: the fields of Behaviour, or a list of these.
                                        {} resets it. ?seed=7 assigns other requests to the shares
PUT    /<instance>[/lookup]/behaviour   sets the behaviour of one instance, or of its status lookups. Status
                                        lookups ignore every other behaviour
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

from local.http.server import RawResponse, Request, Response, Server, json_response
from local.simulators.behaviour import Behaviour, Behaviours, parse_behaviours
from local.simulators.record import Record, RecordedRequest
from local.simulators.vendor import InboundMessage, Vendor, headers
from local.simulators.vendors import DEFAULT_INSTANCES, VENDORS
from local.simulators.webhook_sender import WebhookSender

NOT_FOUND = json_response(404, {"message": "Not Found"})
GARBAGE = RawResponse([b"\x00\xff SSH-2.0-nobody\r\n" * 10])
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
        """`gateway` is the URL that serves the product's webhooks. All keys are derived from `secret`.

        `instances` maps the name of each instance to its type.
        """
        self.vendors: Mapping[str, Vendor] = {
            name: VENDORS[vendor_type](name, gateway, secret) for name, vendor_type in instances.items()
        }
        self._lock = threading.Lock()
        self._send_requests = Record()
        self._status_lookups = Record()
        self._behaviours = Behaviours()
        self._behaviours_by_path: dict[str, Behaviours] = {}
        self._server = _SimulatorServer(host, port, self._respond)
        self._webhook_sender = WebhookSender()
        self._stopped = threading.Event()
        self.url = self._server.url

    def start(self) -> None:
        self._server.start()
        self._webhook_sender.start()

    def stop(self) -> None:
        self._stopped.set()
        self._server.stop()
        self._webhook_sender.stop()

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests to send a message, in the order in which they arrived."""
        return self._send_requests.all()

    @property
    def lookups(self) -> list[RecordedRequest]:
        """The status lookups, in the order in which they arrived."""
        return self._status_lookups.all()

    def clear(self) -> None:
        self._send_requests.clear()
        self._status_lookups.clear()

    def behave(self, *behaviours: Behaviour, at: str | None = None, seed: int = 0) -> None:
        """Set the behaviours of the path `at`, or of every path. Without behaviours, all requests succeed."""
        with self._lock:
            if at is None:
                self._behaviours = Behaviours(behaviours, seed)
                self._behaviours_by_path.clear()
            else:
                self._behaviours_by_path[at] = Behaviours(behaviours, seed)

    def close_next_connections(self, count: int) -> None:
        """Close the next connections before reading from them."""
        self._server.connections_to_close = count

    def _respond(self, request: Request) -> Response | RawResponse | None:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["requests" | "lookups" as name]:
                record = self.requests if name == "requests" else self.lookups
                return json_response(200, [asdict(recorded) for recorded in record])
            case "DELETE", ["requests"]:
                self.clear()
                return Response(204)
            case "PUT", [*path, "behaviour"] if not path or path[0] in self.vendors:
                return self._set_behaviour("/".join(path) or None, request)
            case "POST", [instance, "inbound"] if instance in self.vendors:
                return self._post_inbound(self.vendors[instance], request)
            case _, [instance, *path] if instance in self.vendors:
                return self._serve_vendor(instance, path, request)
        return NOT_FOUND

    def _set_behaviour(self, path: str | None, request: Request) -> Response:
        try:
            value = json.loads(request.body or b"{}")
            seed = int(parse_qs(request.query).get("seed", ["0"])[0])
        except ValueError:
            value, seed = None, 0
        if not isinstance(value, (dict, list)):
            return json_response(400, {"message": "must be a JSON object, or a list of objects"})
        try:
            behaviours = parse_behaviours(value)
        except ValueError as error:
            return json_response(422, {"message": str(error)})
        valid = self._report_statuses(path)
        invalid = {status for behaviour in behaviours for status in behaviour.reports} - valid
        if invalid:
            message = f"reports: unknown: {', '.join(sorted(invalid))}; valid: {', '.join(sorted(valid))}"
            return json_response(422, {"message": message})
        self.behave(*behaviours, at=path, seed=seed)
        return json_response(200, value)

    def _report_statuses(self, path: str | None) -> set[str]:
        """The statuses that the instance at a path can report, or those of all instances."""
        if path is not None:
            return set(self.vendors[path.partition("/")[0]].report_statuses)
        statuses: set[str] = set()
        for vendor in self.vendors.values():
            statuses |= vendor.report_statuses
        return statuses

    def _post_inbound(self, vendor: Vendor, request: Request) -> Response:
        try:
            webhook = vendor.inbound_webhook(InboundMessage.model_validate_json(request.body))
        except ValidationError as error:
            return json_response(422, {"message": _describe(error)})
        except ValueError as error:
            return json_response(422, {"message": str(error)})
        try:
            status, answer = webhook.post()
        except OSError as error:
            return json_response(502, {"message": f"the webhook did not answer: {error}"})
        return json_response(200, {"status": status, "answer": answer})

    def _serve_vendor(
        self, instance: str, path: Sequence[str], request: Request
    ) -> Response | RawResponse | None:
        vendor = self.vendors[instance]
        parsed = vendor.parse_request(request, path)
        if parsed is None:
            return NOT_FOUND
        record = self._status_lookups if parsed.is_status_lookup else self._send_requests
        recorded = RecordedRequest(request.path, headers(request), parsed.body)
        if parsed.rejection is not None:
            record.end(record.add(recorded), parsed.rejection.status)
            return parsed.rejection
        behaviour, delay = self._choose_behaviour(
            f"{instance}/lookup" if parsed.is_status_lookup else instance, parsed.reference
        )
        message_id, response = None, vendor.failure_response(behaviour.status)
        if behaviour.accepts_message:
            message_id, accepted_response = vendor.respond(parsed)
            response = response if behaviour.accepts else accepted_response
        number = record.add(replace(recorded, id=message_id))
        if message_id is not None and not parsed.is_status_lookup:
            webhooks = vendor.report_webhooks(parsed, message_id, behaviour)
            self._webhook_sender.send_later(webhooks, behaviour.report_delay)
        self._stopped.wait(delay)
        return self._end(record, number, behaviour, response)

    def _choose_behaviour(self, path: str, reference: str) -> tuple[Behaviour, float]:
        with self._lock:
            default = Behaviours() if path.endswith("/lookup") else self._behaviours
            return self._behaviours_by_path.get(path, default).choose(path, reference)

    def _end(
        self, record: Record, number: int, behaviour: Behaviour, vendor_response: Response
    ) -> Response | RawResponse | None:
        """Record the response, and return it as the behaviour wants it. None closes the connection."""
        response = _with_behaviour(vendor_response, behaviour)
        if behaviour.close is None and behaviour.answer is None:
            record.end(number, response.status)
            return response
        record.end(number, None)
        if behaviour.close is not None:
            return None
        match behaviour.answer:
            case "garbage":
                return GARBAGE
            case "half":
                return RawResponse([HALF])
            case _:
                return RawResponse(self._drip(), DRIP_SECONDS)

    def _drip(self) -> Iterator[bytes]:
        yield HALF
        while not self._stopped.is_set():
            yield b" "


class _SimulatorServer(Server):
    connections_to_close = 0

    def verify_request(self, *_: object) -> bool:
        """Called for each connection. False closes it."""
        if not self.connections_to_close:
            return True
        self.connections_to_close -= 1
        return False


def _with_behaviour(response: Response, behaviour: Behaviour) -> Response:
    """Apply a behaviour's status, body and headers. A status of 200 keeps the vendor's, such as 201."""
    status = response.status if behaviour.status == HTTPStatus.OK else behaviour.status
    extra_headers = _retry_after(behaviour)
    if isinstance(behaviour.body, str):
        return Response(status, behaviour.body.encode(), extra_headers)
    if behaviour.body:
        return json_response(status, behaviour.body, extra_headers)
    return replace(response, status=status, headers=[*response.headers, *extra_headers])


def _retry_after(behaviour: Behaviour) -> list[tuple[str, str]]:
    if behaviour.retry_at is not None:
        date = datetime.now(UTC) + timedelta(seconds=behaviour.retry_at)
        return [("retry-after", format_datetime(date, usegmt=True))]
    if behaviour.retry_after is not None:
        return [("retry-after", str(behaviour.retry_after))]
    return []


def _describe(error: ValidationError) -> str:
    descriptions: list[str] = []
    for detail in error.errors():
        field = ".".join(str(part) for part in detail["loc"]) or "body"
        descriptions.append(f"{field}: {detail['msg']}")
    return "; ".join(descriptions)
