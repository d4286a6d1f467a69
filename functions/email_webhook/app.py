"""POST /api/webhooks/email[/{provider}], and the function's own URL: keeps what a provider tells.

Also its queue, which holds what came while the database was away, and orders to read again what was kept.
"""

from messaging.handlers.hooks import webhooks
from messaging.handlers.webhook import receiver
from messaging.models import Channel

handler = receiver(Channel.EMAIL, webhooks(Channel.EMAIL))
