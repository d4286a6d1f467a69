"""The outbound queue's ids: hands each message to its provider."""

from messaging.handlers.queue import consumer
from messaging.outbound import delivery

handler = consumer(delivery.deliver)
