"""Outbound messages: accepted, dispatched through the queue, delivered, and recorded."""
