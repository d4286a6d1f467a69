"""The outbound queue's ids: hands each message to its provider."""

from messaging import delivery
from messaging.consumer import consumer

handler = consumer(delivery.deliver)
