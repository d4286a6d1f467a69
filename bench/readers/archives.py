"""Public test mails, which packages on PyPI ship with their own tests. This repository has a copy of none.

`python -m bench.readers.archives` downloads these packages, as `make test` does before the tests.
"""

import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from unearth import PackageFinder

FOLDER = Path(__file__).parents[2] / ".venv" / "mail-archives"
INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple/")


class Archive(NamedTuple):
    name: str
    """`<project>-<version>.tar.gz`."""
    sha256: str
    patterns: Sequence[str]
    """The paths of the mails, below the archive's only folder."""


ARCHIVES = [
    Archive(
        "authheaders-0.16.3.tar.gz",
        "118edc6d3cb1ad18ffab3d788ccc562fca2854cd645faab08fc47033c648148a",
        ["authheaders/test/*.message*"],
    ),
    Archive(
        "django-mailbox-4.10.1.tar.gz",
        "9060a4ddc81d16aa699e266649c12eaf4f29671b5266352e2fad3043a6832b52",
        ["django_mailbox/tests/messages/*.eml"],
    ),
    Archive(
        "dkimpy-1.1.8.tar.gz",
        "b5f60fb47bbf5d8d762f134bcea0c388eba6b498342a682a21f1686545094b77",
        ["dkim/tests/data/*.msg", "dkim/tests/data/*.message*"],
    ),
    Archive(
        "email-6.0.0a1.tar.gz",  # the standard library's own package, with its test mails
        "7fb3226c299147978fb70e4a097de63048fb73247e092fdb035c6c4dba585703",
        ["email6/test_email/data/msg_*.txt"],
    ),
    Archive(
        "eml2pdf-2.1.0.tar.gz",
        "588457441a4dd4717687a6007359f436e6eefd38634e44f3cda517b27d1dbaa4",
        ["tests/test_data/*.eml"],
    ),
    Archive(
        "fast_mail_parser-0.10.0.tar.gz",
        "ad41cdb84ab73cd5542c1f73eebad9787c8e6f5e0e6f0a87821336ba971ebcea",
        ["tests/data/*.eml", "vendor/mailparse/tests/files/test_email_*.txt"],
    ),
    Archive(
        "flufl_bounce-6.0.0.tar.gz",
        "a1df16b9d1877ae4536f7d76c00d8421fcefbe694f80f5285d05c45a2547b1bc",
        ["tests/data/*.txt"],
    ),
    Archive(
        "hyperkitty-1.3.12.tar.gz",
        "deb582937ec5bc9ea9c1d5d86bfb76a4da429b60e1fea6fd6964e7c667cf161d",
        ["hyperkitty/tests/testdata/*.txt"],
    ),
    Archive(
        "lamson-1.3.4.tar.gz",
        "253edf385ae54606579b6b717adf5edcd9df47f9a1d488aa61b9e9f42587d37d",
        ["examples/librelist/tests/*.msg", "examples/osb/tests/spam", "tests/*.msg", "tests/spam"],
    ),
    Archive(
        "mail_parser-4.8.0.tar.gz",
        "602e659b159652d378b0f9cce2d682bee692bedae72687786e2b2e52eaeb9afc",
        ["tests/mails/mail_malformed_*", "tests/mails/mail_test_*"],
    ),
    Archive(
        "mailbits-0.2.3.tar.gz",
        "13140be94825d440986dee0a6e653d81d3b4df4b0059fbdb6d78ba8ccb0c4ec0",
        ["test/data/emails/*.eml"],
    ),
    Archive(
        "mailman-3.3.10.tar.gz",
        "0de478fcf326f25d931938c3744e61c5cd67596b46e5b1e3bb2abf99d5445632",
        ["src/mailman/*.eml"],
    ),
    Archive(
        "mailpile-0.4.0.dev20141126.tar.gz",
        "3b9e3a30e5ed9172ba468fe9376317361ca6655553690fe05af33bc58cdce95e",
        ["mailpile/tests/data/Maildir/cur/[!.]*"],
    ),
    Archive(
        "pymilter-1.0.5.tar.gz",
        "2fac54d5b5ccca87786ad25eb0057a40bee6d5d3f71d7a6d5fe495ab6e460c3f",
        [
            f"test/{name}*"
            for name in ("b", "honey", "missing", "samp", "spam", "test", "utf8", "virus[0-9]", "zip")
        ],
    ),
    Archive(
        "salmon_mail-3.3.0.tar.gz",
        "550d2db25dec887209947431e48dbfd83a79fa981f1f86a6521de74a27718bfe",
        ["tests/data/*.msg", "tests/data/spam"],
    ),
    Archive(
        "talon-1.4.4.tar.gz",
        "263d122609747691e9f75726ea565f5da8a40146a7a81eb5883e51b8224b0e5c",
        ["tests/fixtures/*.eml"],
    ),
]


def read_mails(archive: Archive) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each mail. Raises FileNotFoundError before the download."""
    path = FOLDER / archive.name
    if not path.exists():
        raise FileNotFoundError(f"{path}: run .venv/bin/python -m {__spec__.name}")
    with tarfile.open(path) as files:
        for member in files:
            name = member.name.partition("/")[2]
            if member.isfile() and any(fnmatch(name, pattern) for pattern in archive.patterns):
                file = files.extractfile(member)
                assert file is not None
                yield name, file.read()


def download() -> None:
    """Download the archives that are missing. Raises UnpackError if one is not the pinned one."""
    finder = PackageFinder(index_urls=[INDEX], no_binary=[":all:"])
    FOLDER.mkdir(exist_ok=True)
    for archive in ARCHIVES:
        if (FOLDER / archive.name).exists():
            continue
        print(f"Downloading {archive.name}")
        project, _, version = archive.name.removesuffix(".tar.gz").rpartition("-")
        hashes = {"sha256": [archive.sha256]}
        match = finder.find_best_match(f"{project}=={version}", allow_prereleases=True, hashes=hashes)
        if match.best is None:
            raise FileNotFoundError(f"{INDEX} does not have {archive.name} with this hash")
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            # The hash is checked before the file has its final name. The unpacked files are not used.
            finder.download_and_unpack(match.best.link, Path(folder) / "unpacked", folder, hashes)
            (Path(folder) / match.best.link.filename).rename(FOLDER / archive.name)


if __name__ == "__main__":
    download()
