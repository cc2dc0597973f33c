"""The state folder: private, and short enough for sockets wherever the checkout is."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from paymentsite.stack.children import CannotStart
from paymentsite.stack.folders import LONGEST_SOCKET_NAME, SOCKET_PATH_LIMIT, StateFolder, secret_from


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_for_its_user_alone(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "var")
    # As the first secret does it: parents come with the mask of whoever makes them.
    secret_from(state, "secret_key", mode="test")
    (tmp_path / "var").chmod(0o755)
    state.make()
    assert {mode(folder) for folder in (state.path, state.run_folder, state.log_folder, state.secret_folder)} == {0o700}
    assert mode(state.secret_folder / "secret_key") == 0o600


def test_a_deep_folder_gets_a_short_one_for_its_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    state = StateFolder(deep)
    assert state.run_folder.parent == Path(tempfile.gettempdir())
    assert len(f"{state.run_folder}{LONGEST_SOCKET_NAME}".encode()) <= SOCKET_PATH_LIMIT
    assert state.run_folder == StateFolder(deep).run_folder
    assert state.run_folder != StateFolder(tmp_path / ("d" * 60) / ("f" * 60)).run_folder


def test_a_short_folder_that_somebody_else_laid_out_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="ps-") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        state = StateFolder(tmp_path / ("d" * 60) / ("e" * 60))
        (tmp_path / "elsewhere").mkdir()
        state.run_folder.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(CannotStart, match="belongs to somebody else"):
            state.make()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match=r"^The folder .*file/var cannot be made: Not a directory\.$"):
        StateFolder(tmp_path / "file" / "var").make()
