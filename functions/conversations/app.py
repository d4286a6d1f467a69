"""Every read: conversations, messages, health and the service's own description; and what leads nowhere."""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from description import allowed, document, page
from pydantic import BeforeValidator

from messaging.address import Address
from messaging.conversations import reads
from messaging.conversations.responses import Conversation, ConversationPage, MessagePage, MessageWithEvents
from messaging.fields import Time
from messaging.handlers import api
from messaging.inbound import media
from messaging.models import MAX_ID, Channel
from messaging.outbound import circuits
from messaging.outbound.circuits import Health
from messaging.problems import MethodNotAllowed, NotFound
from messaging.settings import settings

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="The next_cursor of the page before.")]
# An unescaped plus in a URL arrives as a blank.
EitherAddress = Annotated[
    Address,
    BeforeValidator(lambda text: f"+{text[1:]}" if text[:1] == " " else text),
]
DOCUMENT: dict[int, Any] = {
    200: {"description": "This document.", "content": {api.JSON: {"schema": {"type": "object"}}}}
}
FOUND: dict[int, Any] = {
    302: {
        "description": "Where it lies: at the URL that it came with, or for 15 minutes where we keep it.",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
        "content": {},
    }
}
PAGE: dict[int, Any] = {
    200: {
        "description": "A page to read it and to try it.",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
}
DOCS: dict[int, Any] = {
    302: {
        "description": "The documentation page.",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri-reference"}}},
        "content": {},
    }
}

app = api.api()


@app.get("/api/conversations", responses=api.shows(ConversationPage), tags=["Read"])
def list_conversations(
    limit: Limit = 50,
    cursor: Cursor = None,
    address: Annotated[EitherAddress | None, Query(description="Of either side.")] = None,
    type: Annotated[Channel | None, Query(description="Of a message that it holds.")] = None,
    updated_since: Annotated[Time | None, Query()] = None,
) -> Response[str]:
    found = reads.list_conversations(
        _account(), limit, cursor, address=address, type=type, updated_since=updated_since
    )
    return api.page("conversations", found)


@app.get("/api/conversations/<id>", responses=api.shows(Conversation), tags=["Read"])
def get_conversation(id: Id) -> Response[str]:
    return api.found(reads.get_conversation(_account(), id), "conversation")


@app.get("/api/conversations/<id>/messages", responses=api.shows(MessagePage), tags=["Read"])
def list_messages(
    id: Id,
    limit: Limit = 50,
    cursor: Cursor = None,
    order: Annotated[Literal["asc", "desc"], Query()] = "asc",
) -> Response[str]:
    found = reads.list_messages(_account(), id, limit, cursor, newest_first=order == "desc")
    if found is None:
        raise NotFound("There is no such conversation.")
    return api.page("messages", found)


@app.get("/api/messages/<id>", responses=api.shows(MessageWithEvents), tags=["Read"])
def get_message(id: Id) -> Response[str]:
    return api.found(reads.get_message(_account(), id), "message")


@app.get("/api/messages/<id>/attachments/<number>", responses=FOUND, tags=["Read"])
def get_attachment(id: Id, number: Annotated[int, Path(ge=1, le=1000)]) -> Response[str]:
    kept = reads.get_attachment(_account(), id, number)
    if kept is None:
        raise NotFound("There is no such attachment.")
    return api.elsewhere(media.link(kept))


@app.get("/healthz", responses=api.shows(Health), tags=["About"])
def get_health(
    *,
    detail: Annotated[bool, Query(description="Whether to tell how the providers are.")] = False,
) -> Response[str]:
    reads.check_schema()
    found = Health(providers=circuits.list_health(settings().providers) if detail else None)
    return Response(200, api.JSON, found.model_dump_json(exclude_none=not detail))


@app.get("/api/openapi.json", responses=DOCUMENT, tags=["About"])
def describe() -> Response[str]:
    return Response(200, api.JSON, document(), dict(api.PUBLIC))


@app.get("/api/docs", responses=PAGE, tags=["About"])
def show() -> Response[str]:
    return Response(200, "text/html", page(), {"Content-Security-Policy": api.PAGE_POLICY, **api.PUBLIC})


@app.get("/", responses=DOCS, tags=["About"])
def open_docs() -> Response[str]:
    return api.elsewhere("/api/docs")


@app.not_found
def nowhere(_: NotFoundError) -> Response[str]:
    methods = allowed(app.current_event.path)
    if methods and app.current_event.http_method == "OPTIONS":  # a browser asks, without a key
        return Response(204, headers={"Allow": ", ".join(methods)})
    if methods and app.current_event.http_method not in methods:
        raise MethodNotAllowed("This method is not allowed here.", headers={"Allow": ", ".join(methods)})
    raise NotFound("There is nothing here.")


def _account() -> int:
    return api.caller(app, "read").account


handler = api.handler(app, "read", raw=True)
