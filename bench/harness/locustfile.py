"""The load for Locust: signed webhooks, each with a new message, one after the other."""

import os
from itertools import count

from locust import FastHttpUser, task

from bench.harness import events

events.SIGNING_SECRET = os.environ["SECRET"]
_users = count()


class Provider(FastHttpUser):  # type: ignore[misc]  # Locust is not installed when mypy runs
    def on_start(self) -> None:
        event = {"headers": {"content-type": "application/json"}}
        number = next(_users)
        self.webhooks = events.webhooks(
            event, f"locust-{os.getpid()}-{number}", (number * 100 + 1, number * 100 + 100)
        )

    @task  # type: ignore[untyped-decorator]  # as above
    def webhook(self) -> None:
        event = next(self.webhooks)
        self.client.post("/api/webhooks/sms", data=event["body"], headers=event["headers"])
