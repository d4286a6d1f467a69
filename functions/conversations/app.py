"""Every read: conversations, messages, health and the service's own description; and what leads nowhere."""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from description import allowed, document, page
from pydantic import BeforeValidator

from messaging import health, media, views, web
from messaging.address import Address
from messaging.fields import Time
from messaging.health import Health
from messaging.models import MAX_ID, Channel, MessageWithEvents
from messaging.pages import Conversation, ConversationPage, MessagePage
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
    200: {"description": "This document.", "content": {web.JSON: {"schema": {"type": "object"}}}}
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

app = web.api()


@app.get("/api/conversations", responses=web.shows(ConversationPage), tags=["Read"])
def list_conversations(
    limit: Limit = 50,
    cursor: Cursor = None,
    address: Annotated[EitherAddress | None, Query(description="Of either side.")] = None,
    type: Annotated[Channel | None, Query(description="Of a message that it holds.")] = None,
    updated_since: Annotated[Time | None, Query()] = None,
) -> Response[str]:
    found = views.list_conversations(
        _account(), limit, cursor, address=address, type=type, updated_since=updated_since
    )
    return web.page("conversations", found)


@app.get("/api/conversations/<id>", responses=web.shows(Conversation), tags=["Read"])
def get_conversation(id: Id) -> Response[str]:
    return web.found(views.conversation(_account(), id), "conversation")


@app.get("/api/conversations/<id>/messages", responses=web.shows(MessagePage), tags=["Read"])
def list_messages(
    id: Id,
    limit: Limit = 50,
    cursor: Cursor = None,
    order: Annotated[Literal["asc", "desc"], Query()] = "asc",
) -> Response[str]:
    found = views.list_messages(_account(), id, limit, cursor, newest_first=order == "desc")
    if found is None:
        raise NotFound("There is no such conversation.")
    return web.page("messages", found)


@app.get("/api/messages/<id>", responses=web.shows(MessageWithEvents), tags=["Read"])
def get_message(id: Id) -> Response[str]:
    return web.found(views.message(_account(), id), "message")


@app.get("/api/messages/<id>/attachments/<number>", responses=FOUND, tags=["Read"])
def get_attachment(id: Id, number: Annotated[int, Path(ge=1, le=1000)]) -> Response[str]:
    kept = views.attachment(_account(), id, number)
    if kept is None:
        raise NotFound("There is no such attachment.")
    return web.elsewhere(media.link(kept))


@app.get("/healthz", responses=web.shows(Health), tags=["About"])
def get_health(
    *,
    detail: Annotated[bool, Query(description="Whether to tell how the providers are.")] = False,
) -> Response[str]:
    views.check()
    found = Health(providers=health.of_providers(settings().providers) if detail else None)
    return Response(200, web.JSON, found.model_dump_json(exclude_none=not detail))


@app.get("/api/openapi.json", responses=DOCUMENT, tags=["About"])
def describe() -> Response[str]:
    return Response(200, web.JSON, document(), dict(web.PUBLIC))


@app.get("/api/docs", responses=PAGE, tags=["About"])
def show() -> Response[str]:
    return Response(200, "text/html", page(), {"Content-Security-Policy": web.PAGE_POLICY, **web.PUBLIC})


@app.not_found
def nowhere(_: NotFoundError) -> Response[str]:
    methods = allowed(app.current_event.path)
    if methods and app.current_event.http_method == "OPTIONS":  # a browser asks, without a key
        return Response(204, headers={"Allow": ", ".join(methods)})
    if methods and app.current_event.http_method not in methods:
        raise MethodNotAllowed("This method is not allowed here.", headers={"Allow": ", ".join(methods)})
    raise NotFound("There is nothing here.")


def _account() -> int:
    return web.caller(app, "read").account


handler = web.handler(app, "read", raw=True)
