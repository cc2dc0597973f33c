"""One supervisor per folder, one listener per port."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from paymentsite.stack.children import CannotStart
from paymentsite.stack.startlock import StartLock, check_port


def test_the_second_on_a_folder_hears_who_the_first_is_and_what_to_do(tmp_path: Path) -> None:
    first = StartLock(tmp_path / "run.lock")
    first.take(port=3004)
    with pytest.raises(CannotStart, match=rf"^Already running .*pid {os.getpid()}, http://localhost:3004.*PORT=3005"):
        StartLock(tmp_path / "run.lock").take(port=3004)
    first.release()
    second = StartLock(tmp_path / "run.lock")
    assert second.take(port=3004) is False
    second.release()


def test_a_lock_that_was_not_given_back_says_that_its_holder_was_killed(tmp_path: Path) -> None:
    (tmp_path / "run.lock").write_text("pid 1234567, http://localhost:3004")
    lock = StartLock(tmp_path / "run.lock")
    assert lock.take(port=3004) is True
    lock.release()
    assert (tmp_path / "run.lock").read_text() == ""


def test_a_port_in_use_is_refused_with_the_next_one_to_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(CannotStart, match=f"^Port {port} is in use.*PORT={port + 1} ./run$"):
            check_port(port)
    check_port(port)
