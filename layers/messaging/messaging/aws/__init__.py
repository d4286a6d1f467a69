"""Calls to AWS: a small signed client for the hot paths, boto3 for the rare ones, and secrets."""
