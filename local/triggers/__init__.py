"""What invokes a function: HTTP requests, the Invoke API, queues and schedules."""
