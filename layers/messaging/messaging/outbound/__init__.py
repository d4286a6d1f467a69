"""What goes out: accepted, dispatched through the queue, delivered, and recorded."""
