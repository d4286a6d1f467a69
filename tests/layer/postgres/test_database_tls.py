"""TLS to Postgres is verified, unless the URL disables it."""

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
from tests.support.tcp_server import accept_connections
from tests.support.waiting import eventually

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""https://www.postgresql.org/docs/current/protocol-message-formats.html"""


class TlsProxy:
    """Terminates TLS in front of a server that has none, and records what the client sends."""

    def __init__(self, url: str, certificate: Certificate) -> None:
        self.received = b""
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
        """Wait for its clients to disconnect first."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _listen(self) -> None:
        for client in accept_connections(self._listener):
            with client, suppress(OSError):  # the client may refuse the certificate
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
            data = ready[0].recv(65536)
            if not data:
                return
            if ready[0] is client:
                self.received += data
            (server if ready[0] is client else client).sendall(data)


class RoundTripCounter:
    """Counts below TLS how often the client sent something after a response."""

    def __init__(self, port: int) -> None:
        self.round_trips = 0
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._carry)
        self._thread.start()

    def close(self) -> None:
        """Wait for its one client to disconnect first."""
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
                data = source.recv(65536)
                if not data:
                    return
                self.round_trips += answered and source is client
                answered = source is server
                (client if answered else server).sendall(data)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "trusted")


@pytest.fixture
def tls_proxy(database: Database, authority: Authority) -> Iterator[TlsProxy]:
    tls_proxy = TlsProxy(database.url, authority.certify("127.0.0.1"))
    yield tls_proxy
    product.disconnect()
    tls_proxy.close()


@pytest.mark.parametrize("query", ["", "sslmode=require", "sslmode=prefer", "sslmode=disabled"])
def test_connects_to_a_server_that_the_bundle_trusts(
    tls_proxy: TlsProxy, authority: Authority, configure: Configure, query: str
) -> None:
    configure(DATABASE_URL=tls_proxy.url(query), DATABASE_CA_FILE=str(authority.bundle))
    reads.check_schema()
    assert b"alembic_version" in tls_proxy.received


def test_the_first_answer_takes_eight_round_trips_at_most(
    tls_proxy: TlsProxy, authority: Authority, configure: Configure
) -> None:
    """One each for TCP, the question about TLS, the TLS handshake, the greeting and the answer, and two for
    the password. A ticket of the handshake may come between two of them."""
    port = urlsplit(tls_proxy.url("")).port
    assert port
    counter = RoundTripCounter(port)
    configure(
        DATABASE_URL=tls_proxy.url("").replace(f":{port}/", f":{counter.port}/"),
        DATABASE_CA_FILE=str(authority.bundle),
    )
    reads.check_schema()
    trips = counter.round_trips  # without the Terminate message of disconnect
    product.disconnect()
    counter.close()
    assert trips + 1 <= 8


def assert_refused(tls_proxy: TlsProxy) -> None:
    with pytest.raises(Unavailable):
        reads.check_schema()
    assert not tls_proxy.received, "an untrusted server must not learn even the user's name"


def test_a_certificate_of_another_authority_is_refused(
    tls_proxy: TlsProxy, tmp_path: Path, configure: Configure, authority: Authority
) -> None:
    configure(DATABASE_URL=tls_proxy.url(""), DATABASE_CA_FILE=str(Authority(tmp_path, "other").bundle))
    assert_refused(tls_proxy)


@pytest.mark.parametrize("bundle", ["", "/no/such/bundle.pem"])
def test_without_a_valid_bundle_the_certificate_is_refused(
    tls_proxy: TlsProxy, configure: Configure, bundle: str
) -> None:
    """The system's bundle has only public authorities."""
    configure(DATABASE_URL=tls_proxy.url(""), DATABASE_CA_FILE=bundle)
    assert_refused(tls_proxy)


def test_a_certificate_of_another_host_is_refused(
    database: Database, authority: Authority, configure: Configure
) -> None:
    tls_proxy = TlsProxy(database.url, authority.certify("127.0.0.2"))
    configure(DATABASE_URL=tls_proxy.url(""), DATABASE_CA_FILE=str(authority.bundle))
    assert_refused(tls_proxy)
    tls_proxy.close()


def test_a_server_without_tls_is_refused(
    database: Database, authority: Authority, configure: Configure
) -> None:
    plain = urlsplit(database.url)._replace(query="").geturl()
    configure(DATABASE_URL=plain, DATABASE_CA_FILE=str(authority.bundle))
    product.disconnect()
    with pytest.raises(Unavailable):
        reads.check_schema()


@pytest.fixture
def installed() -> Path:
    """The folder of a Postgres with TLS. A system package has TLS, the embedded Postgres does not."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ["PATH"].split(os.pathsep))]
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    pytest.skip("Postgres with TLS is not installed")


VERSION = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def tls_version() -> str:
    """The TLS version of the connection under test; empty if it has no TLS."""
    try:
        return str(product.run(VERSION)[0][0])
    except Unavailable:
        return ""


@pytest.fixture
def secured(installed: Path, tmp_path: Path, authority: Authority, configure: Configure) -> Iterator[None]:
    """Starts a Postgres that requires TLS, and configures DATABASE_URL and DATABASE_CA_FILE for it."""
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
    eventually(tls_version)
    yield
    product.disconnect()
    server.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("secured")
def test_tls_works_with_the_implementation_of_postgres(configure: Configure, tmp_path: Path) -> None:
    assert tls_version().startswith("TLSv1.")
    product.disconnect()
    configure(DATABASE_CA_FILE=str(Authority(tmp_path, "other").bundle))
    assert not tls_version()
