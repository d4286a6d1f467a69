"""What clients read: conversations and messages, in pages."""
