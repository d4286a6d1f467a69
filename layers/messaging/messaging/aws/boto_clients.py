"""SQS and S3 for those whose caller waits. boto3 doubles a cold start: the first call imports it, which most
environments never make."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@cache
def sqs() -> "SQSClient":
    import boto3

    return boto3.client("sqs", config=_config())


@cache
def s3() -> "S3Client":
    import boto3
    from botocore.config import Config

    # For links to objects: signed in the way that every region takes, for the bucket's own host.
    signed = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
    return boto3.client("s3", config=_config().merge(signed))


def _config() -> "Config":
    from botocore.config import Config

    # A webhook waits for the database as well: all must end within the function's time-out.
    return Config(connect_timeout=0.5, read_timeout=1.5, retries={"total_max_attempts": 2})
