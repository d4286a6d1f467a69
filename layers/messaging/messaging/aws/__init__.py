"""Calls to AWS: a signed client for what every request needs, boto3 for the others, and secrets."""
