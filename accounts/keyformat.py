"""How an API key looks: `ps_<prefix of 8>_<secret of 43>`. The prefix finds the key, the secret proves it."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from dataclasses import dataclass

PREFIX_LENGTH = 8
PREFIX_ALPHABET = string.ascii_lowercase + string.digits
SECRET_BYTES = 32
FORMAT = re.compile(r"ps_(?P<prefix>[a-z0-9]{8})_(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key in the clear. It is shown once and never stored, and its text stays out of logs and error messages."""

    prefix: str
    secret: str

    @classmethod
    def generate(cls) -> KeyText:
        prefix = "".join(secrets.choice(PREFIX_ALPHABET) for _ in range(PREFIX_LENGTH))
        return cls(prefix, secrets.token_urlsafe(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> KeyText | None:
        """None when the text is no key of ours."""
        match = FORMAT.fullmatch(text)
        return None if match is None else cls(match["prefix"], match["secret"])

    @property
    def secret_sha256(self) -> str:
        # The secret is 256 random bits: a plain digest cannot be guessed backwards, and costs the request nothing.
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def reveal(self) -> str:
        """The whole key, for the one time that it is shown."""
        return f"ps_{self.prefix}_{self.secret}"

    def __repr__(self) -> str:
        return f"KeyText(ps_{self.prefix}_…)"

    __str__ = __repr__
