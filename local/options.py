"""The options of a start on this machine."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Options:
    """A port of 0 is any free port."""

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
    """The port of Lambda's API, which invokes functions."""
    database_url: str = ""
    """The database to use instead of an embedded Postgres."""
    gateway: str = ""
    """The URL that serves the API, if we do not serve it on `port`."""
    relay_every: float = 2
    """Seconds between the runs of every schedule. 0 turns the schedules off."""
    polling: bool = True
    """Whether queues trigger their functions."""
    concurrency: int = 4
    """The most processes of a function."""
    auth: bool = False
    """Whether the API calls its authorizer, as in AWS. If not, every caller is the operator."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the template."""
    without_status_lookup: Collection[str] = ()
    """Provider instances of which the product cannot fetch a message's status."""
    provider_urls: Mapping[str, str] = field(default_factory=dict)
    """URLs of provider instances that another simulator serves."""
