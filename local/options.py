"""What can be chosen when the service is started on this machine."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Options:
    """A port of 0 is any free one; a `relay_every` of 0 leaves the schedules out, and no
    `polling` the queues."""

    template: Path = PROJECT / "template.yaml"
    folder: Path = PROJECT / ".local"
    fresh: bool = False
    durable: bool = True
    host: str = "127.0.0.1"
    port: int = 8080
    postgres_port: int = 15432
    aws_port: int = 14566
    provider_port: int = 8081
    lambda_port: int = 8082
    """Of Lambda's own API, which invokes functions."""
    database_url: str = ""
    """Given, it is used instead of a Postgres of ours."""
    gateway: str = ""
    """Given, it is where the product is served, instead of by us on `port`."""
    relay_every: float = 2
    polling: bool = True
    concurrency: int = 4
    auth: bool = False
    """Whether the API asks its authorizer, as in AWS; else whoever calls is the operator."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    without_status_lookup: Collection[str] = ()
    """Instances that the product cannot ask what has become of a message."""
    provider_urls: Mapping[str, str] = field(default_factory=dict)
    """Where an instance is that another than our provider plays."""
