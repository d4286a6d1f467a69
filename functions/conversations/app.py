"""GET /api/conversations, /api/messages, /healthz and the documentation; also paths that do not exist."""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from description import allowed_methods, docs_page, openapi_document
from pydantic import BeforeValidator

from messaging.address import StoredAddress
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
Cursor = Annotated[str | None, Query(description="The `next_cursor` of the previous page.")]
# An unescaped plus sign in a URL arrives as a space.
EitherAddress = Annotated[
    StoredAddress,
    BeforeValidator(lambda text: f"+{text[1:]}" if text[:1] == " " and not text[1:2].isalpha() else text),
]
OPENAPI_DOCUMENT: dict[int, Any] = {
    200: {"description": "This document.", "content": {api.JSON: {"schema": {"type": "object"}}}}
}
ATTACHMENT: dict[int, Any] = {
    302: {
        "description": "Redirects to the provider's URL of the attachment, or to a stored file. The URL of"
        " a stored file is valid for 15 minutes.",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
        "content": {},
    }
}
DOCS_PAGE: dict[int, Any] = {
    200: {
        "description": "A page to read and try the API.",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
}
DOCS_REDIRECT: dict[int, Any] = {
    302: {
        "description": "Redirects to the documentation page.",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri-reference"}}},
        "content": {},
    }
}

app = api.create_app()


# --- Conversations and messages ----------------------------------------------------------------------


@app.get("/api/conversations", responses=api.response_schema(ConversationPage), tags=["Read"])
def list_conversations(
    limit: Limit = 50,
    cursor: Cursor = None,
    address: Annotated[
        EitherAddress | None, Query(description="Only conversations with this address, on either side.")
    ] = None,
    type: Annotated[
        Channel | None, Query(description="Only conversations with a message of this type.")
    ] = None,
    updated_since: Annotated[
        Time | None, Query(description="Only conversations with a message since this time.")
    ] = None,
) -> Response[str]:
    """List conversations, most recent activity first."""
    page = reads.list_conversations(
        _account(), limit, cursor, address=address, type=type, updated_since=updated_since
    )
    return api.page_response("conversations", page)


@app.get("/api/conversations/<id>", responses=api.response_schema(Conversation), tags=["Read"])
def get_conversation(id: Id) -> Response[str]:
    """Get a conversation."""
    return api.json_or_404(reads.get_conversation(_account(), id), "conversation")


@app.get("/api/conversations/<id>/messages", responses=api.response_schema(MessagePage), tags=["Read"])
def list_messages(
    id: Id,
    limit: Limit = 50,
    cursor: Cursor = None,
    order: Annotated[Literal["asc", "desc"], Query(description="`desc` lists the newest first.")] = "asc",
) -> Response[str]:
    """List the messages of a conversation in the order in which the service stored them."""
    page = reads.list_messages(_account(), id, limit, cursor, newest_first=order == "desc")
    if page is None:
        raise NotFound("This conversation does not exist.")
    return api.page_response("messages", page)


@app.get("/api/messages/<id>", responses=api.response_schema(MessageWithEvents), tags=["Read"])
def get_message(id: Id) -> Response[str]:
    """Get a message with its attempts and delivery reports."""
    return api.json_or_404(reads.get_message(_account(), id), "message")


@app.get("/api/messages/<id>/attachments/<number>", responses=ATTACHMENT, tags=["Read"])
def get_attachment(id: Id, number: Annotated[int, Path(ge=1, le=1000)]) -> Response[str]:
    """Get an attachment of a message. The first attachment has the number 1."""
    attachment = reads.get_attachment(_account(), id, number)
    if attachment is None:
        raise NotFound("This attachment does not exist.")
    return api.redirect(media.download_url(attachment))


# --- The service itself ------------------------------------------------------------------------------


@app.get("/healthz", responses=api.response_schema(Health), tags=["About"])
def get_health(
    *,
    detail: Annotated[
        bool, Query(description="Whether to include the state of each provider's circuit.")
    ] = False,
) -> Response[str]:
    """Check that the database answers and is migrated."""
    reads.check_schema()
    health = Health(providers=circuits.list_health(settings().providers) if detail else None)
    return Response(200, api.JSON, health.model_dump_json(exclude_none=not detail))


@app.get("/api/openapi.json", responses=OPENAPI_DOCUMENT, tags=["About"])
def get_openapi_document() -> Response[str]:
    """Get the OpenAPI document of this API."""
    return Response(200, api.JSON, openapi_document(), dict(api.PUBLIC_CACHING))


@app.get("/api/docs", responses=DOCS_PAGE, tags=["About"])
def get_docs_page() -> Response[str]:
    """Get the documentation page of this API."""
    headers = {"Content-Security-Policy": api.DOCS_PAGE_POLICY, **api.PUBLIC_CACHING}
    return Response(200, "text/html", docs_page(), headers)


@app.get("/", responses=DOCS_REDIRECT, tags=["About"])
def open_docs_page() -> Response[str]:
    """Redirect to the documentation page."""
    return api.redirect("/api/docs")


@app.not_found
def reject_path(_: NotFoundError) -> Response[str]:
    methods = allowed_methods(app.current_event.path)
    method = app.current_event.http_method
    if not methods or method in methods:
        raise NotFound("This path does not exist.")
    allow = {"Allow": ", ".join(methods)}
    if method == "OPTIONS":  # a browser asks which methods it may use, without a key
        return Response(204, headers={"Allow": allow["Allow"]})
    raise MethodNotAllowed("This path does not support the method.", headers=allow)


def _account() -> int:
    """The caller's account. Raises PermissionDenied if the key lacks the scope `read`."""
    return api.caller(app, "read").account


handler = api.handler(app, "read", json_body=False)
