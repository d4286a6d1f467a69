"""Webhooks by HTTP. Routed by hand: Powertools' resolver is a seventh of such a function's cold start."""

import re
from typing import Any

from messaging.handlers import http
from messaging.handlers.http import Answered, Event, Handler
from messaging.inbound import receive
from messaging.models import Channel
from messaging.problems import MethodNotAllowed, NotFound
from messaging.providers.provider import Webhook
from messaging.settings import settings


def webhooks(channel: Channel) -> Handler:
    """Takes POST /api/webhooks/<channel>[/<provider>], on a function URL also without what leads there.
    Without a provider it is the built-in one, which bears the channel's name."""
    path = re.compile(rf"(?:/api/webhooks/{channel})?(?:/(?P<provider>[^/]*))?")

    def respond(event: Event, _: Any) -> Answered:
        webhook = _webhook(event)
        if event["requestContext"]["http"]["method"] != "POST":
            raise MethodNotAllowed("A webhook is a POST.", headers={"Allow": "POST"})
        match = path.fullmatch(event["rawPath"])
        if match is None:
            raise NotFound("There is nothing here.")
        answer = receive.receive(channel, match["provider"] or channel, webhook)
        headers = {"Content-Type": answer.content_type}
        return {"statusCode": answer.status, "headers": headers, "body": answer.body}

    return http.handler(respond)


def _webhook(event: Event) -> Webhook:
    called = settings().public_url.rstrip("/") or f"https://{event['requestContext']['domainName']}"
    return Webhook(
        url=called + event["rawPath"],
        query=event.get("rawQueryString", ""),
        headers=http.headers(event),
        body=http.body(event),
    )
