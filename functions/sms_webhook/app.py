"""POST /api/webhooks/sms[/{provider}], and the function's own URL: receives webhooks.

Also the function's queue, with webhooks that were spooled while the database was unavailable, and operators'
orders to replay stored webhooks.
"""

from messaging.handlers.webhook import webhook_function
from messaging.models import Channel

handler = webhook_function(Channel.SMS)
