"""The outbound queue's ids: hands each message to its provider."""

from messaging import outbox, web

handler = web.consumer(outbox.deliver)
