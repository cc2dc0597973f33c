"""Encryption of single values at rest: Fernet tokens under the keys of FIELD_ENCRYPTION_KEYS, newest key first."""

from __future__ import annotations

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from kernel.errors import Unavailable


class SecretUnreadable(Unavailable):
    """A stored secret cannot be decrypted with any key of FIELD_ENCRYPTION_KEYS."""

    code = "secret-unreadable"
    title = "Stored secret unreadable"
    next_step = "Add the key that the secret was stored under to the end of FIELD_ENCRYPTION_KEYS and restart."


def encrypt_text(plain: str) -> str:
    """The text as a Fernet token under the newest key."""
    return _box().encrypt(plain.encode()).decode("ascii")


def decrypt_text(token: str) -> str:
    """The text inside a token of `encrypt_text`. Raises SecretUnreadable when no key opens it or it was altered."""
    try:
        return _box().decrypt(token.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable from None


def rotate(token: str) -> str:
    """The same secret as a token under the newest key, its time of making kept. Raises SecretUnreadable."""
    try:
        return _box().rotate(token.encode()).decode("ascii")
    except InvalidToken:
        raise SecretUnreadable from None


def is_under_newest_key(token: str) -> bool:
    """Whether the newest key alone opens the token, so that there is nothing to rotate."""
    try:
        _box_of(tuple(settings.FIELD_ENCRYPTION_KEYS[:1])).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def _box() -> MultiFernet:
    return _box_of(tuple(settings.FIELD_ENCRYPTION_KEYS))


@lru_cache(maxsize=4)
def _box_of(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key.strip()) for key in keys])
    except ValueError:
        raise ImproperlyConfigured(
            "FIELD_ENCRYPTION_KEYS holds a key that cannot be used: each should be 32 bytes as URL-safe base64, "
            "several with commas between, the newest first."
        ) from None
