"""The folder that keeps what survives a restart is nobody else's."""

from contextlib import closing
from pathlib import Path

import pytest

from local.errors import CannotStart
from local.services.data_folder import DataFolder


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("precious")
    with pytest.raises(CannotStart, match="holds other files"):
        DataFolder(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["theirs"]


def test_one_that_was_made_here_is_taken_again_and_can_be_forgotten(tmp_path: Path) -> None:
    with closing(DataFolder(tmp_path / "data")) as folder:
        secret = folder.signing_secret()
    with closing(DataFolder(tmp_path / "data")) as folder:
        assert folder.signing_secret() == secret
        folder.clear()
        assert folder.signing_secret() != secret
