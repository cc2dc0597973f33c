"""What a start makes ready: it makes each thing once, and leaves alone what people have changed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finder

from paymentsite.stack import preparation
from paymentsite.stack.folders import StateFolder
from paymentsite.stack.preparation import (
    STAFF_USERNAME,
    collect_static_once,
    load_demo_once,
    make_staff_user,
    migrate,
)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(tmp_path / "var")
    state.make()
    return state


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the commands that the preparation calls, in place of running them."""
    names: list[str] = []
    monkeypatch.setattr(preparation, "call_command", lambda name, **options: names.append(name))
    return names


@pytest.mark.django_db
def test_the_first_staff_user_gets_a_password_that_only_we_can_read(state: StateFolder) -> None:
    make_staff_user(state)
    user = get_user_model()._default_manager.get(username=STAFF_USERNAME)
    password = state.staff_password_file.read_text()
    assert len(password) >= 16
    assert user.check_password(password)
    assert user.is_superuser
    assert stat.S_IMODE(state.staff_password_file.stat().st_mode) == 0o600


@pytest.mark.django_db
def test_a_second_start_changes_no_password(state: StateFolder) -> None:
    make_staff_user(state)
    before = get_user_model()._default_manager.get(username=STAFF_USERNAME).password
    make_staff_user(state)
    assert get_user_model()._default_manager.get(username=STAFF_USERNAME).password == before
    assert state.staff_password_file.exists()


@pytest.mark.django_db
def test_a_password_that_somebody_chose_is_kept_and_the_first_one_forgotten(state: StateFolder) -> None:
    make_staff_user(state)
    user = get_user_model()._default_manager.get(username=STAFF_USERNAME)
    user.set_password("chosen by a person")
    user.save()
    make_staff_user(state)
    user.refresh_from_db()
    assert user.check_password("chosen by a person")
    assert not state.staff_password_file.exists()


@pytest.mark.django_db
def test_a_migrated_database_is_neither_migrated_nor_given_demo_data(state: StateFolder, called: list[str]) -> None:
    said: list[str] = []
    migrate(state, say=said.append)
    load_demo_once(state, say=said.append)
    assert (called, said) == ([], [])


def test_demo_data_is_wanted_until_it_is_in(
    state: StateFolder, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state.demo_wanted_file.touch()

    def fail(name: str, **options: object) -> None:
        raise OSError("cut short")

    with monkeypatch.context() as patch:
        patch.setattr(preparation, "call_command", fail)
        with pytest.raises(OSError, match="cut short"):
            load_demo_once(state, say=called.append)
    assert state.demo_wanted_file.exists()
    load_demo_once(state, say=lambda line: None)
    load_demo_once(state, say=lambda line: None)
    assert called == ["Loading the demo data", "load_demo"]


def test_static_files_are_collected_again_only_when_one_changed(
    state: StateFolder, called: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "a.css").write_text("a {}")
    state.static_folder.mkdir()
    monkeypatch.setattr(settings, "STATICFILES_DIRS", [folder])
    monkeypatch.setattr(settings, "STATICFILES_FINDERS", ["django.contrib.staticfiles.finders.FileSystemFinder"])
    get_finder.cache_clear()  # type: ignore[attr-defined]
    try:
        collect_static_once(state, say=lambda line: None)
        collect_static_once(state, say=lambda line: None)
        assert called == ["collectstatic"]
        (folder / "b.css").write_text("b {}")
        collect_static_once(state, say=lambda line: None)
        assert called == ["collectstatic", "collectstatic"]
    finally:
        get_finder.cache_clear()  # type: ignore[attr-defined]
