"""The data folder belongs to one run, and holds nothing else."""

from contextlib import closing
from pathlib import Path

import pytest

from local.errors import CannotStart
from local.services.data_folder import DataFolder


def test_a_folder_with_other_files_is_not_used(tmp_path: Path) -> None:
    other_file = tmp_path / "theirs"
    other_file.write_text("precious")
    with pytest.raises(CannotStart, match="holds other files"):
        DataFolder(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["theirs"]


def test_a_data_folder_can_be_used_again_and_cleared(tmp_path: Path) -> None:
    with closing(DataFolder(tmp_path / "data")) as folder:
        secret = folder.signing_secret()
    with closing(DataFolder(tmp_path / "data")) as folder:
        assert folder.signing_secret() == secret
        folder.clear()
        assert folder.signing_secret() != secret
