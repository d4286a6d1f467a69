"""The proxy between a function and Postgres delays, counts round trips and terminates TLS."""

import os
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.harness import network
from bench.harness.network import Network
from messaging.conversations import reads
from tests.support.certificates import Authority
from tests.support.configuration import Configure
from tests.support.database import Database


def test_round_trips_are_counted(database: Database, configure: Configure) -> None:
    parts = urlsplit(database.url)
    counted = Network((parts.hostname or "", parts.port or 0))
    configure(DATABASE_URL=network.url_at(database.url, counted.port))
    reads.check_schema()
    before = counted.round_trips
    reads.check_schema()
    reads.check_schema()
    assert counted.round_trips == before + 2


def test_a_round_trip_takes_its_delay(database: Database, configure: Configure) -> None:
    with network.delayed(database.url, 0.05) as url:
        configure(DATABASE_URL=url)
        reads.check_schema()
        started = time.perf_counter()
        reads.check_schema()
        assert time.perf_counter() - started >= 0.05


def test_the_proxy_terminates_tls(database: Database, configure: Configure, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    served = authority.certify("127.0.0.1")
    with network.delayed(database.url, 0, (served.certificate, served.key)) as url:
        configure(DATABASE_URL=url, DATABASE_CA_FILE=os.fspath(authority.bundle))
        reads.check_schema()
