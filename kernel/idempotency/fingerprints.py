"""What makes two requests the same: who calls, under which key, and a digest of what is asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.request import Request

from kernel import exactjson
from kernel.idempotency.errors import HEADER, LONGEST_KEY, IdempotencyKeyInvalid, IdempotencyKeyMissing
from kernel.requests import current_actor

PRINTABLE = re.compile(rf"[\x20-\x7e]{{1,{LONGEST_KEY}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under a key, as far as repeats are recognised by it."""

    caller_kind: str
    caller_id: str
    key: str
    method: str
    path: str
    content_sha256: str

    @property
    def lock(self) -> int:
        """The advisory lock of caller and key: a signed number of 64 bits."""
        text = f"{self.caller_kind}\n{self.caller_id}\n{self.key}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "big", signed=True)


def read_asked(request: Request) -> Asked:
    """The request's key, caller and content. Raises IdempotencyKeyMissing or IdempotencyKeyInvalid (400).

    Reads the body, and so raises what the parser raises. The order of names in JSON, and of query parameters, is no
    difference; every digit of a number is one.
    """
    key = request.headers.get(HEADER)
    if key is None:
        raise IdempotencyKeyMissing
    if PRINTABLE.fullmatch(key) is None:
        raise IdempotencyKeyInvalid
    kind, _, _ = current_actor().partition(":")
    caller = getattr(request.user, "pk", None)
    if caller is None:
        raise ImproperlyConfigured("A request under a key needs a caller: let the view ask for credentials.")
    method = str(request.method)
    content = exactjson.dumps(
        [
            method,
            request.path,
            sorted([name, values] for name, values in request.query_params.lists()),
            _ordered(request.data),
        ]
    )
    files = sorted([name, _digest_of(file)] for name, several in request.FILES.lists() for file in several)
    digest = hashlib.sha256(f"{content}\n{exactjson.dumps(files)}".encode()).hexdigest()
    return Asked(kind, str(caller), key, method, request.path, digest)


def _ordered(value: Any) -> Any:
    """The same value with the names of every object in order; of a form every value of a name."""
    if hasattr(value, "lists"):
        return sorted([name, [text for text in texts if isinstance(text, str)]] for name, texts in value.lists())
    if isinstance(value, Mapping):
        return {name: _ordered(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_ordered(member) for member in value]
    return value


def _digest_of(file: Any) -> str:
    digest = hashlib.sha256(str(file.name).encode())
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
