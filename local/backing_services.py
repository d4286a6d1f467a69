"""What the functions lean on: Postgres, the AWS APIs with the template's queues and buckets, and the provider
that plays along."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from local.options import Options
from local.services import ports
from local.services.aws import SECRET, LocalAws
from local.services.folder import Folder
from local.services.postgres import Postgres
from local.simulators.provider import ProviderSimulator
from local.simulators.vendors import DEFAULT_INSTANCES, VENDORS
from local.template.template import Template


class BackingServices:
    """Runs from its making to `close`. Where it cannot, it ends what it had begun and raises CannotStart."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        host = options.host
        with ExitStack() as undo:
            self.folder = Folder(options.folder)
            undo.callback(self.folder.close)
            chosen = ports.choose_all(host, _wanted_ports(options))
            self.port = chosen.get("--port", 0)
            self.lambda_port = chosen.get("--lambda-port", 0)
            self._postgres = None
            self.database_url = options.database_url
            if not options.database_url:
                self._postgres = Postgres(
                    self.folder.path, chosen["--postgres-port"], host, durable=options.durable
                )
                self.database_url = self._postgres.url
            gateway = options.gateway or f"http://{host}:{self.port}"
            self.aws = LocalAws(self.folder.path, chosen["--aws-port"], host)
            self.template = Template(
                options.template,
                options.parameters,
                {
                    "DatabaseUrl": self.database_url,
                    "ProviderSecretArn": SECRET,
                    "AllowUnsignedWebhooks": "true",
                    "PublicUrl": gateway,
                },
                endpoint=self.aws.endpoint,
                gateway=gateway,
            )
            if options.fresh:
                say("Forgetting what was kept")
                if self._postgres is not None:
                    self._postgres.clear()
                self.folder.clear()
            secret = self.folder.signing_secret()
            instances, others = _instances(options.parameters.get("Providers", ""))
            self.provider = ProviderSimulator(chosen["--provider-port"], gateway, secret, host, instances)
            self._credentials = {
                name: vendor.credentials(options.provider_urls.get(name, f"{self.provider.url}/{name}"))
                for name, vendor in self.provider.vendors.items()
            }
            for name in options.without_status_lookup:
                del self._credentials[name]["lookup_url"]
            say(f"A provider that plays along: {self.provider.url}")
            if others:
                say(f"Not played here, and not sent to without a secret of yours: {', '.join(others)}")
            undo.callback(self.provider.stop)
            self.provider.start()
            say(f"SQS, Secrets Manager and S3: {self.aws.endpoint}")
            undo.callback(self.stop_aws)
            starting = [self.start_aws]
            if self._postgres is not None:
                say(f"Postgres: {self.database_url}")
                undo.callback(self._postgres.stop)
                starting.append(self._postgres.start)
            with ThreadPoolExecutor() as threads:
                for started in [threads.submit(start) for start in starting]:
                    started.result()
            self._undo = undo.pop_all()

    def close(self) -> None:
        self._undo.close()

    @property
    def postgres(self) -> Postgres:
        assert self._postgres is not None, "the database is not ours: it was given by its URL"
        return self._postgres

    def start_aws(self) -> None:
        """On the same port, and with the same queues, buckets and secret, whatever it has kept of them."""
        self.aws.start()
        self.aws.create_queues(self.template.queues)
        self.aws.create_buckets(self.template.buckets.values())
        self.aws.keep_secret(self._credentials)

    def stop_aws(self) -> None:
        self.aws.stop()


def _wanted_ports(options: Options) -> dict[str, int]:
    """The ports that we listen on, by the options of the command line that choose them."""
    wanted = {"--aws-port": options.aws_port, "--provider-port": options.provider_port}
    if not options.gateway:
        wanted |= {"--port": options.port, "--lambda-port": options.lambda_port}
    if not options.database_url:
        wanted["--postgres-port"] = options.postgres_port
    return wanted


def _instances(configured: str) -> tuple[dict[str, str], list[str]]:
    """Those of the product's providers that we can play, a name and a type each, and the others' names."""
    pairs = [part.partition("=") for part in configured.split(",") if part.strip()]
    kinds = {name.strip(): kind.strip() or name.strip() for name, _, kind in pairs}
    if not kinds:
        return dict(DEFAULT_INSTANCES), []
    played = {name: kind for name, kind in kinds.items() if kind in VENDORS}
    return played, [name for name in kinds if name not in played]
