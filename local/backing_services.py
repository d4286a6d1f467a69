"""The services that the functions use: Postgres, the AWS APIs with the template's queues and buckets, and the
provider simulator."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from local.options import Options
from local.services import ports
from local.services.aws import SECRET, LocalAws
from local.services.data_folder import DataFolder
from local.services.postgres import Postgres
from local.simulators.provider import ProviderSimulator
from local.simulators.vendors import DEFAULT_INSTANCES, VENDORS
from local.template.template import Template


class BackingServices:
    """Start in the constructor and stop in `close`. A start that fails stops what it has started."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        """Call `say` with each step. Raises CannotStart."""
        with ExitStack() as undo:
            self.folder = DataFolder(options.folder)
            undo.callback(self.folder.close)
            chosen_ports = ports.choose_all(options.host, _wanted_ports(options))
            self.port = chosen_ports.get("--port", 0)
            self.lambda_port = chosen_ports.get("--lambda-port", 0)
            self._postgres = self._make_postgres(options, chosen_ports)
            self.database_url = self._postgres.url if self._postgres else options.database_url
            self.aws = LocalAws(self.folder.path, chosen_ports["--aws-port"], options.host)
            gateway = options.gateway or f"http://{options.host}:{self.port}"
            self.template = self._read_template(options, gateway)
            if options.fresh:
                say("Deleting the data of earlier runs")
                self._delete_data()
            instances, not_simulated = _instances(options.parameters.get("Providers", ""))
            self.provider = ProviderSimulator(
                chosen_ports["--provider-port"],
                gateway,
                self.folder.signing_secret(),
                options.host,
                instances,
            )
            self._credentials = self._make_credentials(options)
            self.provider_secret = options.parameters.get("ProviderSecretArn", SECRET)
            say(f"Provider simulator: {self.provider.url}")
            if not_simulated and self.simulates_providers:
                say(f"Not simulated; these providers need a secret of yours: {', '.join(not_simulated)}")
            undo.callback(self.provider.stop)
            self.provider.start()
            self._start_services(undo, say)
            self._undo = undo.pop_all()

    def close(self) -> None:
        self._undo.close()

    @property
    def postgres(self) -> Postgres:
        assert self._postgres is not None, "the database is not embedded, but at the URL of an option"
        return self._postgres

    @property
    def simulates_providers(self) -> bool:
        """Whether the functions call the simulator. With a secret of yours, they call real vendors."""
        return self.provider_secret == SECRET

    def start_aws(self) -> None:
        """Start on the same port, with the same queues, buckets and secret as before."""
        self.aws.start()
        self.aws.create_queues(self.template.queues)
        self.aws.create_buckets(self.template.buckets.values())
        self.aws.store_secret(self._credentials)

    def stop_aws(self) -> None:
        self.aws.stop()

    def _make_postgres(self, options: Options, chosen_ports: dict[str, int]) -> Postgres | None:
        if options.database_url:
            return None
        port = chosen_ports["--postgres-port"]
        return Postgres(self.folder.path, port, options.host, durable=options.durable)

    def _read_template(self, options: Options, gateway: str) -> Template:
        local_values = {
            "DatabaseUrl": self.database_url,
            "ProviderSecretArn": SECRET,
            "AllowUnsignedWebhooks": "true",
            "PublicUrl": gateway,
        }
        return Template(
            options.template,
            options.parameters,
            local_values,
            endpoint=self.aws.endpoint,
            gateway=gateway,
        )

    def _delete_data(self) -> None:
        if self._postgres is not None:
            self._postgres.clear()
        self.folder.clear()

    def _make_credentials(self, options: Options) -> dict[str, dict[str, object]]:
        """The content of the secret: each instance's credentials, by its name."""
        credentials: dict[str, dict[str, object]] = {}
        for name, vendor in self.provider.vendors.items():
            url = options.provider_urls.get(name, f"{self.provider.url}/{name}")
            credentials[name] = vendor.credentials(url)
        for name in options.without_status_lookup:
            del credentials[name]["lookup_url"]
        return credentials

    def _start_services(self, undo: ExitStack, say: Callable[[str], None]) -> None:
        """Start the AWS APIs and Postgres at the same time."""
        say(f"SQS, Secrets Manager and S3: {self.aws.endpoint}")
        undo.callback(self.stop_aws)
        starts = [self.start_aws]
        if self._postgres is not None:
            say(f"Postgres: {self.database_url}")
            undo.callback(self._postgres.stop)
            starts.append(self._postgres.start)
        with ThreadPoolExecutor() as threads:
            futures = [threads.submit(start) for start in starts]
        for future in futures:
            future.result()


def _wanted_ports(options: Options) -> dict[str, int]:
    """The ports to listen on, by the command-line option that chooses each."""
    ports = {"--aws-port": options.aws_port, "--provider-port": options.provider_port}
    if not options.gateway:
        ports |= {"--port": options.port, "--lambda-port": options.lambda_port}
    if not options.database_url:
        ports["--postgres-port"] = options.postgres_port
    return ports


def _instances(providers: str) -> tuple[dict[str, str], list[str]]:
    """Split the parameter Providers (`sms,texts=sms`) into instances with their types, and other names."""
    types: dict[str, str] = {}
    for part in providers.split(","):
        name, _, vendor_type = part.partition("=")
        if name.strip() or vendor_type.strip():
            types[name.strip()] = vendor_type.strip() or name.strip()
    if not types:
        return dict(DEFAULT_INSTANCES), []
    simulated = {name: vendor_type for name, vendor_type in types.items() if vendor_type in VENDORS}
    return simulated, [name for name in types if name not in simulated]
