"""What Locust is to do: webhooks, each signed and of its own, one after the other."""

import os
from itertools import count

from locust import FastHttpUser, task

from bench.harness import requests

requests.SIGNING_SECRET = os.environ["SECRET"]
_users = count()


class Provider(FastHttpUser):  # type: ignore[misc]  # Locust is not there when this is checked
    def on_start(self) -> None:
        frame = {"headers": {"content-type": "application/json"}}
        number = next(_users)
        self.webhooks = requests.webhooks(
            frame, f"locust-{os.getpid()}-{number}", (number * 100 + 1, number * 100 + 100)
        )

    @task  # type: ignore[untyped-decorator]  # as above
    def webhook(self) -> None:
        event = next(self.webhooks)
        self.client.post("/api/webhooks/sms", data=event["body"], headers=event["headers"])
