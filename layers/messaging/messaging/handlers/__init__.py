"""The Lambda entry points that the functions share: HTTP, the API, webhooks and queues."""
