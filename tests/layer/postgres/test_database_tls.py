"""TLS to Postgres: verified wherever the URL does not say that there is none."""

import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from select import select
from threading import Thread
from urllib.parse import quote, urlsplit

import pytest

from local.services import ports, unprivileged
from local.services.process import ChildProcess
from messaging.conversations import reads
from messaging.postgres import database as product
from messaging.problems import Unavailable
from tests.support.certificates import Authority, Certificate
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.waiting import eventually

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""https://www.postgresql.org/docs/current/protocol-message-formats.html"""


class Front:
    """Ends TLS in front of a server that has none, and keeps what it was told under it."""

    def __init__(self, url: str, certificate: Certificate) -> None:
        self.told = b""
        self._parts = urlsplit(url)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._listen)
        self._thread.start()

    def url(self, query: str) -> str:
        host = f"{self._parts.username}:{self._parts.password}@127.0.0.1:{self._listener.getsockname()[1]}"
        return self._parts._replace(netloc=host, query=query).geturl()

    def close(self) -> None:
        """Once its clients have gone."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            with client, suppress(OSError):  # the client may not like what it sees
                if client.recv(8) != SSL_REQUEST:
                    continue
                client.sendall(b"S")
                with (
                    self._context.wrap_socket(client, server_side=True) as secured,
                    socket.create_connection((self._parts.hostname or "", self._parts.port)) as server,
                ):
                    self._pump(secured, server)

    def _pump(self, client: ssl.SSLSocket, server: socket.socket) -> None:
        while True:
            ready = [client] if client.pending() else select([client, server], [], [])[0]
            some = ready[0].recv(65536)
            if not some:
                return
            if ready[0] is client:
                self.told += some
            (server if ready[0] is client else client).sendall(some)


class Wire:
    """Before a front, below its TLS: counts how often something was sent after an answer."""

    def __init__(self, port: int) -> None:
        self.round_trips = 0
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._carry)
        self._thread.start()

    def close(self) -> None:
        """Once its one client has gone."""
        self._thread.join()
        self._listener.close()

    def _carry(self) -> None:
        client, _ = self._listener.accept()
        answered = True
        with client, socket.create_connection(self._target) as server:
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                [source, *_] = select([client, server], [], [])[0]
                if not (some := source.recv(65536)):
                    return
                self.round_trips += answered and source is client
                answered = source is server
                (client if answered else server).sendall(some)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "trusted")


@pytest.fixture
def front(database: Database, authority: Authority) -> Iterator[Front]:
    front = Front(database.url, authority.certify("127.0.0.1"))
    yield front
    product.disconnect()
    front.close()


@pytest.mark.parametrize("query", ["", "sslmode=require", "sslmode=prefer", "sslmode=disabled"])
def test_connects_to_a_server_that_the_named_bundle_vouches_for(
    front: Front, authority: Authority, configure: Configure, query: str
) -> None:
    configure(DATABASE_URL=front.url(query), DATABASE_CA_FILE=str(authority.bundle))
    reads.check_schema()
    assert b"alembic_version" in front.told


def test_the_first_answer_takes_eight_round_trips_at_most(
    front: Front, authority: Authority, configure: Configure
) -> None:
    """With that of TCP: whether there is TLS, its handshake, the greeting and the password's two, the answer.
    A ticket of the handshake may come between two of them."""
    port = urlsplit(front.url("")).port
    assert port
    wire = Wire(port)
    configure(
        DATABASE_URL=front.url("").replace(f":{port}/", f":{wire.port}/"),
        DATABASE_CA_FILE=str(authority.bundle),
    )
    reads.check_schema()
    trips = wire.round_trips  # without the farewell
    product.disconnect()
    wire.close()
    assert trips + 1 <= 8


def refuses(front: Front) -> None:
    with pytest.raises(Unavailable):
        reads.check_schema()
    assert not front.told, "nothing, not even a user's name, is told to a stranger"


def test_trusts_no_other_authority(
    front: Front, tmp_path: Path, configure: Configure, authority: Authority
) -> None:
    configure(DATABASE_URL=front.url(""), DATABASE_CA_FILE=str(Authority(tmp_path, "other").bundle))
    refuses(front)


@pytest.mark.parametrize("bundle", ["", "/no/such/bundle.pem"])
def test_trusts_nobody_without_a_bundle_of_its_own(front: Front, configure: Configure, bundle: str) -> None:
    """The system's bundle knows only the world's authorities."""
    configure(DATABASE_URL=front.url(""), DATABASE_CA_FILE=bundle)
    refuses(front)


def test_trusts_no_certificate_of_another_host(
    database: Database, authority: Authority, configure: Configure
) -> None:
    front = Front(database.url, authority.certify("127.0.0.2"))
    configure(DATABASE_URL=front.url(""), DATABASE_CA_FILE=str(authority.bundle))
    refuses(front)
    front.close()


def test_does_not_fall_back_to_a_server_without_tls(
    database: Database, authority: Authority, configure: Configure
) -> None:
    plain = urlsplit(database.url)._replace(query="").geturl()
    configure(DATABASE_URL=plain, DATABASE_CA_FILE=str(authority.bundle))
    product.disconnect()
    with pytest.raises(Unavailable):
        reads.check_schema()


@pytest.fixture
def installed() -> Path:
    """The programs of a Postgres that has TLS of its own, as a system's package has and the wheel has not."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ["PATH"].split(os.pathsep))]
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    pytest.skip("No Postgres is installed here: its own TLS was not tried")


VERSION = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def spoken() -> str:
    """The TLS of the product's connection; nothing where it has none."""
    try:
        return str(product.run(VERSION)[0][0])
    except Unavailable:
        return ""


@pytest.fixture
def secured(installed: Path, tmp_path: Path, authority: Authority, configure: Configure) -> Iterator[None]:
    """That Postgres, which lets nobody in without TLS; the product is configured for it and trusts it."""
    user = unprivileged.user()
    cluster = unprivileged.reachable(tmp_path / "cluster") if user else tmp_path / "cluster"
    cluster.mkdir(mode=0o700)
    password = tmp_path / "password"
    password.write_text("secret/@")
    files = [
        Path(shutil.copy(file, cluster.with_name(f"{cluster.name}.{number}")))
        for number, file in enumerate((*authority.certify("127.0.0.1"), password))
    ]
    if user:
        for file in (cluster, *files):
            shutil.chown(file, user)

    def run(program: str, *arguments: str) -> ChildProcess:
        command = [str(installed / program), "-D", str(cluster), *arguments]
        return ChildProcess(command, log=tmp_path / "log", folder=cluster, environment={}, user=user)

    assert run("initdb", "--auth=scram-sha-256", "--username=owner", f"--pwfile={files[2]}").wait() == 0
    (cluster / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")
    port = ports.choose("127.0.0.1", 0, "")
    tls = ["--ssl=on", f"--ssl_cert_file={files[0]}", f"--ssl_key_file={files[1]}"]
    server = run("postgres", f"--port={port}", "--unix_socket_directories=", "--fsync=off", *tls)
    url = f"postgresql://owner:{quote('secret/@', safe='')}@127.0.0.1:{port}/postgres"
    configure(DATABASE_URL=url, DATABASE_CA_FILE=str(authority.bundle))
    eventually(spoken)
    yield
    product.disconnect()
    server.stop()


@pytest.mark.usefixtures("secured")
def test_speaks_the_tls_of_postgres_itself(configure: Configure, tmp_path: Path) -> None:
    assert spoken().startswith("TLSv1.")
    product.disconnect()
    configure(DATABASE_CA_FILE=str(Authority(tmp_path, "other").bundle))
    assert not spoken()
