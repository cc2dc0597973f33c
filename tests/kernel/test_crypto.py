from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from kernel.crypto import SecretUnreadable, decrypt_text, encrypt_text, rotate

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_text_comes_back_and_no_two_tokens_are_alike(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    tokens = {encrypt_text("schlüssel-7"), encrypt_text("schlüssel-7")}
    assert len(tokens) == 2
    assert {decrypt_text(token) for token in tokens} == {"schlüssel-7"}
    assert not any("schl" in token for token in tokens)


def test_an_older_key_still_opens_and_rotation_makes_it_needless(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    token = encrypt_text("secret")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert decrypt_text(token) == "secret"
    rotated = rotate(token)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert decrypt_text(rotated) == "secret"


@pytest.mark.parametrize("opening", [decrypt_text, rotate])
def test_a_missing_key_is_said_with_what_to_do(settings: Settings, opening: Callable[[str], str]) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    token = encrypt_text("secret")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    with pytest.raises(SecretUnreadable, match="FIELD_ENCRYPTION_KEYS") as failure:
        opening(token)
    assert "secret" not in str(failure.value.__cause__)
    assert (failure.value.status, failure.value.code) == (503, "secret-unreadable")


def test_an_altered_token_is_not_opened() -> None:
    token = encrypt_text("secret")
    with pytest.raises(SecretUnreadable):
        decrypt_text(token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:])


@pytest.mark.parametrize("key", ["short", "", "not base64 at all, and much longer than a key!"])
def test_a_key_that_is_none_is_refused_by_the_name_of_its_variable(settings: Settings, key: str) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [key]
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        encrypt_text("secret")
