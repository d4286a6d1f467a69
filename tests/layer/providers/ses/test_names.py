"""The names of a mail in SES's notification."""

import base64

from messaging.models import InboundMessage
from messaging.providers.ses import Ses
from tests.support.providers import sns
from tests.support.providers.received_names import US, Headers, ReceivedNames, parse, raw_mail


class TestNotification(ReceivedNames):
    def deliver(self, headers: Headers) -> InboundMessage:
        event = {
            "notificationType": "Received",
            "content": base64.b64encode(raw_mail(headers).encode()).decode(),
            "mail": {"messageId": "id-1", "source": "bounce@example.net"},
            "receipt": {
                "timestamp": "2024-11-01T14:00:00Z",
                "recipients": [US],
                "action": {"type": "SNS", "encoding": "BASE64"},
            },
        }
        return parse(Ses("x", {}), sns.webhook(sns.signed(sns.envelope(event))).body, "text/plain")
