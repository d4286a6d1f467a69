"""The Lambda handlers that the functions share: HTTP, the API, queues and webhooks."""
