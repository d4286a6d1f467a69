"""The outbound queue of message ids: sends each message through its provider."""

from messaging.handlers.queue import consumer
from messaging.outbound import delivery

handler = consumer(delivery.deliver)
