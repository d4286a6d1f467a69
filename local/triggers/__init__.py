"""What invokes a function: HTTP, the Invoke API, queues and schedules."""
