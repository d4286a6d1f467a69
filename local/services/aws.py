"""SQS, S3 and Secrets Manager on this machine: the program `ministack`, and clients for it."""

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from local.errors import CannotStart
from local.http.client import opener
from local.services.process import ChildProcess
from local.template.template import ACCOUNT, REGION, Queue

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

SECRET = "messaging/providers"
"""The name of the secret with the providers' credentials. It works in place of an ARN."""
START_SECONDS = 60
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


class LocalAws:
    def __init__(
        self,
        folder: Path,
        port: int,
        host: str = "127.0.0.1",
        *,
        python: str = sys.executable,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`python` runs ministack and the functions that are deployed to it. Both get `variables`."""
        self.endpoint = f"http://{host}:{port}"
        self._host = host
        self._port = port
        self._python = python
        self._variables = variables or {}
        self._state = folder / "aws" / str(port)  # the URL of a queue, with its port, is part of the state
        self._objects = folder / "aws" / "s3"
        self._temporary = folder / "aws" / "tmp"
        self._log = folder / "aws.log"
        self._server: ChildProcess | None = None
        self._session = _session()

    def start(self) -> None:
        """Return when the endpoint answers. Raises CannotStart."""
        for folder in (self._state, self._objects, self._temporary):
            folder.mkdir(parents=True, exist_ok=True)
        self._server = ChildProcess(
            [self._python, "-I", "-m", "ministack"],
            log=self._log,
            folder=self._state,
            environment={
                **_inherited("PATH", "SYSTEMROOT"),
                **CREDENTIALS,
                "BIND_HOST": self._host,
                "GATEWAY_PORT": str(self._port),
                "MINISTACK_ACCOUNT_ID": ACCOUNT,
                "MINISTACK_REGION": REGION,
                "PERSIST_STATE": "1",
                "STATE_DIR": str(self._state),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(self._objects),
                "TMPDIR": str(self._temporary),
                "IOT_MTLS_ENABLED": "0",  # both would listen on every address of the machine
                "SFTP_ENABLED": "0",
                "DOCKER_HOST": "unix:///nowhere",  # it would remove containers that look like its own
                "LOG_LEVEL": "WARNING",
                **self._variables,
            },
        )
        self._wait_until_ready()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def sqs(self) -> "SQSClient":
        client: SQSClient = self.client("sqs")
        return client

    def create_queues(self, queues: list[Queue]) -> None:
        """Create the queues, then set their attributes: a queue and its dead-letter queue name each other."""
        sqs = self.sqs()
        urls = {queue.name: sqs.create_queue(QueueName=queue.name)["QueueUrl"] for queue in queues}
        for queue in queues:
            if queue.attributes:
                sqs.set_queue_attributes(QueueUrl=urls[queue.name], Attributes=dict(queue.attributes))  # type: ignore[arg-type]  # its keys are a Literal

    def create_buckets(self, names: Iterable[str]) -> None:
        s3: S3Client = self.client("s3")
        for name in names:
            s3.create_bucket(Bucket=name)

    def store_secret(self, value: Mapping[str, Any]) -> None:
        client: SecretsManagerClient = self.client("secretsmanager")
        text = json.dumps(value)
        try:
            client.create_secret(Name=SECRET, SecretString=text)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=SECRET, SecretString=text)

    def client(self, name: str) -> Any:
        config = Config(
            proxies={},
            max_pool_connections=64,
            connect_timeout=2,
            read_timeout=30,
            retries={"total_max_attempts": 1},
        )
        return self._session.client(name, endpoint_url=self.endpoint, region_name=REGION, config=config)  # type: ignore[call-overload]  # overloads are by literal name

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with opener.open(f"{self.endpoint}/_ministack/health", timeout=2):
                    return
            except OSError:
                if self._server is None or self._server.ended or time.monotonic() > deadline:
                    self.stop()
                    raise CannotStart(f"ministack did not start, see {self._log}") from None
            time.sleep(0.05)


def _inherited(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _session() -> boto3.session.Session:
    """Return a session that ignores the profile, the certificates and the files for the real AWS."""
    no_configuration = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
        "ca_bundle": (None, None, None, None),
    }
    core = botocore.session.Session(session_vars=no_configuration)
    return boto3.session.Session(
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        botocore_session=core,
    )
