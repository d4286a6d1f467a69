"""boto3's clients of SQS and S3, with short timeouts because a caller waits.

boto3 doubles a cold start, and most environments never need it. So it is imported at the first call.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@cache
def sqs() -> "SQSClient":
    """Return the client of SQS that this environment shares."""
    import boto3

    return boto3.client("sqs", config=_config())


@cache
def s3() -> "S3Client":
    """Return the client of S3 that this environment shares. It signs links with the bucket's own host."""
    import boto3
    from botocore.config import Config

    # The signature version that every region accepts in a link to an object.
    signing = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
    return boto3.client("s3", config=_config().merge(signing))


def _config() -> "Config":
    from botocore.config import Config

    # A webhook waits for the database as well. Both must end within the function's timeout.
    return Config(connect_timeout=0.5, read_timeout=1.5, retries={"total_max_attempts": 2})
