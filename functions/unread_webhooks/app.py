"""/api/admin/unread-webhooks: webhooks that could not be read. For keys with the scope `admin`."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from messaging.fields import Time
from messaging.handlers import api, walks
from messaging.inbound import receive, unread
from messaging.inbound.faults import FaultKind
from messaging.inbound.responses import ReplayedWebhook, UnreadWebhookDetails, UnreadWebhookPage
from messaging.inbound.unread import UnreadFilter
from messaging.models import MAX_ID
from messaging.problems import Invalid, NotFound

NOUN = "unread webhook"

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="The `next_cursor` of the previous page.")]
Provider = Annotated[str | None, Query(max_length=200, description="Only of this provider instance.")]
Kind = Annotated[FaultKind | None, Query(description="Only with this kind of fault.")]
Since = Annotated[Time | None, Query(description="Received at this time or later.")]
Until = Annotated[Time | None, Query(description="Received before this time.")]
RAW: dict[int, Any] = {
    200: {
        "description": "The body of the request, byte for byte.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    302: {
        "description": "Redirects to the body if it is over 4 MB. The URL is valid for 15 minutes.",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
        "content": {},
    },
}

app = api.create_app()


@app.get("/api/admin/unread-webhooks", responses=api.response_schema(UnreadWebhookPage), tags=["Admin"])
def list_unread_webhooks(
    limit: Limit = 50,
    cursor: Cursor = None,
    provider: Provider = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
) -> Response[str]:
    """List webhooks that could not be read, in whole or in part, newest first, without dismissed ones."""
    api.caller(app, "admin")
    selected = UnreadFilter(provider, kind, since, until)
    walk = ["unread-webhooks", *(value and str(value) for value in selected)]
    before = walks.position(cursor, walk, first=MAX_ID)
    rows = unread.list_webhooks(selected, limit, before)
    return walks.page_response("unread_webhooks", rows, limit, walk)


@app.get(
    "/api/admin/unread-webhooks/<id>", responses=api.response_schema(UnreadWebhookDetails), tags=["Admin"]
)
def get_unread_webhook(id: Id) -> Response[str]:
    """Get an unread webhook with its URL and headers, without its body."""
    api.caller(app, "admin")
    return api.json_or_404(unread.get_webhook(id), NOUN)


@app.get("/api/admin/unread-webhooks/<id>/raw", responses=RAW, tags=["Admin"])
def download_unread_webhook(id: Id) -> Response[str]:
    """Download the body of an unread webhook as it arrived. The details have its content type."""
    request = unread.open_webhook(api.caller(app, "admin").name, id, "downloaded")
    if request is None:
        raise _not_found()
    file_name = f"webhook-{id}"
    if len(request.body) > unread.MAX_DOWNLOAD:
        return api.redirect(unread.download_url(id, request.body, file_name))
    return api.download(request.body, file_name)


@app.post(
    "/api/admin/unread-webhooks/<id>/replay", responses=api.response_schema(ReplayedWebhook), tags=["Admin"]
)
def replay_unread_webhook(id: Id) -> Response[str]:
    """Parse and store an unread webhook again. What is stored already adds nothing."""
    request = unread.open_webhook(api.caller(app, "admin").name, id, "replayed")
    if request is None:
        raise _not_found()
    try:
        parts = receive.store_verified(request)
    except NotFound as error:
        raise Invalid.field("provider", "is not configured any more") from error
    return Response(200, api.JSON, unread.replayed(id, parts).model_dump_json())


@app.delete("/api/admin/unread-webhooks/<id>", responses={204: {"description": "Dismissed."}}, tags=["Admin"])
def dismiss_unread_webhook(id: Id) -> Response[str]:
    """Remove a webhook from the list. It is deleted when its retention, which begins now, is over."""
    if not unread.dismiss_webhook(api.caller(app, "admin").name, id):
        raise _not_found()
    return Response(204, body="")


def _not_found() -> NotFound:
    return NotFound(f"This {NOUN} does not exist.")


handler = api.handler(app, "admin", json_body=False)
