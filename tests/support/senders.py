"""Senders of text messages."""

NAMES = ["McDonald's", "Yahoo!", "E*TRADE", "Müller", "H&M", "楽天", "🍕 Pizza", "A name of many characters"]
"""They are not alphanumeric senders, and are stored as they were written."""
