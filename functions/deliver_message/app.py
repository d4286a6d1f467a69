"""The outbound queue's ids: hands each message to its provider."""

from messaging import outbox
from messaging.consumer import consumer

handler = consumer(outbox.deliver)
