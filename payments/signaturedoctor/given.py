"""What the doctor is told: the request as its sender describes it, and what we know of channels. Keys come in here."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from payments.states import SignatureScheme

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """One secret of a channel as it is handed out. expires_at_seconds: Unix time, None for the present one."""

    channel: str
    text: str = field(repr=False)
    scheme: SignatureScheme
    expires_at_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class KnownChannel:
    """The channel to which the request was sent, with its own secrets first present, then previous."""

    slug: str
    scheme: SignatureScheme
    secrets: Sequence[KnownSecret] = field(default=(), repr=False)
    is_active: bool = True
    networks: Sequence[Network] = ()
    tolerance_seconds: int = 300


@dataclass(frozen=True, slots=True)
class GivenRequest:
    """One request. `headers` as name and value pairs; body None when nobody has it; received_at as Unix seconds.

    arrived_digest is the SHA-256 of the body that reached us in hexadecimal, '' when no receipt says so; id_digest is
    the same of the body with which this webhook-id came first, '' when the id is new.
    """

    headers: Sequence[tuple[str, str]] = ()
    body: bytes | None = field(default=None, repr=False)
    received_at: float | None = None
    source_address: str = ""
    arrived_digest: str = ""
    id_digest: str = ""
    problem_code: str = ""

    def value(self, name: str) -> str:
        """The header's value, several joined as a server does; '' when it is absent."""
        wanted = name.lower()
        return ",".join(value.strip() for known, value in self.headers if known.lower() == wanted)

    def count(self, name: str) -> int:
        wanted = name.lower()
        return sum(known.lower() == wanted for known, _ in self.headers)


class HeadersUnreadable(ValueError):
    """A line is no header. The text is the line's number."""


def read_headers(text: str) -> list[tuple[str, str]]:
    """Pasted headers, one a line as `Name: value`; a request line, curl's `> ` and `-H '…'` are taken off.

    Raises HeadersUnreadable with the number of the line that is none.
    """
    found: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        kept = line.strip().removeprefix(">").strip()
        if kept.startswith(("-H ", "--header ")):
            kept = kept.split(" ", 1)[1].rstrip("\\").strip().strip("'\"")
        if not kept or kept.startswith(("POST ", "HTTP/")):
            continue
        name, colon, value = kept.partition(":")
        if not colon or not name.strip() or " " in name.strip():
            raise HeadersUnreadable(str(number))
        found.append((name.strip(), value.strip()))
    return found


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
