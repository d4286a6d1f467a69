from pathlib import Path

import pg8000.native
import pytest

from local.services import ports
from local.services.postgres import Postgres


def connect(server: Postgres, password: str) -> pg8000.native.Connection:
    return pg8000.native.Connection(
        "messaging", "127.0.0.1", "messaging", server.port, password, ssl_context=False
    )


def test_postgres_runs_below_a_private_folder_and_deletes_its_data(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = tmp_path / "data"
    folder.mkdir()
    server = Postgres(folder, ports.choose("127.0.0.1", 0, ""), durable=False)
    server.start()
    with connect(server, "messaging") as connection:
        [[cluster]] = connection.run("SHOW data_directory")
    with pytest.raises(pg8000.native.DatabaseError, match="password authentication failed"):
        connect(server, "guessed")
    server.stop()
    server.clear()
    assert not Path(cluster).exists()


def test_postgres_compresses_the_pages_in_its_log(tmp_path: Path) -> None:
    server = Postgres(tmp_path, ports.choose("127.0.0.1", 0, ""), durable=False)
    server.start()
    with connect(server, "messaging") as connection:
        [[compression]] = connection.run("SHOW wal_compression")
    server.stop()
    server.clear()
    assert compression in ("on", "pglz")
