"""What the functions need: Postgres, the AWS APIs, processes, ports and folders."""
