"""An outside system's answer: signed, bounded, exact; what it cannot mean is never guessed."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from invoices.gateways.errors import AnswerUnusable, OutcomeUnknown

Read = TypeVar("Read")
Choice = TypeVar("Choice", bound=StrEnum)

LONGEST_TEXT = 500

_amount = re.compile(r"[0-9]{1,13}\.[0-9]{2}", re.ASCII)


def answer_hash(secret: bytes, *, method: str, target: str, status: int, body: bytes) -> str:
    """The hash that an answer carries in `Answer-Hash`: HMAC-SHA256 in lower-case hex.

    Over the method, the target as it was requested (path and query), the status and the body, with a line feed after
    each of the first three: an answer to another question, or of another status, does not fit.
    """
    head = f"{method}\n{target}\n{status}\n".encode()
    return hmac.new(secret, head + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """A signed answer: done (200, 201), missing (404) or refused (422, with `fault` and `reason`)."""

    system: str
    status: int
    body: Mapping[str, Any]
    # Whether the request wrote: what cannot be read then leaves its outcome unknown.
    wrote: bool

    @property
    def is_missing(self) -> bool:
        return self.status == 404

    @property
    def is_refusal(self) -> bool:
        return self.status == 422

    @property
    def fault(self) -> str:
        return str(self.body.get("fault", ""))[:50]

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", "")).strip()[:LONGEST_TEXT] or "it gave no reason."

    def read_as(self, read: Callable[[Mapping[str, Any]], Read]) -> Read:
        """What `read` makes of the body. Its ValueError becomes OutcomeUnknown after a write, else AnswerUnusable."""
        if self.status not in (200, 201):
            self.unusable(f"it answered {self.status}")
        try:
            return read(self.body)
        except ValueError as error:
            self.unusable(str(error))

    def unusable(self, why: str) -> NoReturn:
        detail = f"The answer of the {self.system} cannot be used: {why}."
        raise OutcomeUnknown(detail) if self.wrote else AnswerUnusable(detail)


class AnswerMembers:
    """Reads the members of a JSON object by kind. Raises ValueError that names the member."""

    def __init__(self, body: object) -> None:
        if not isinstance(body, Mapping):
            raise ValueError("an object is expected where it has something else")
        self._body = body

    def text(self, name: str) -> str:
        value = self._body.get(name, "")
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise ValueError(f"{name} should be a text of at most {LONGEST_TEXT} characters")
        return value

    def expect(self, name: str, expected: str) -> None:
        if self.text(name) != expected:
            raise ValueError(f"{name} is not {expected}")

    def amount(self, name: str) -> Decimal:
        """Dollars from a decimal string with two decimals."""
        value = self.text(name)
        if not _amount.fullmatch(value):
            raise ValueError(f"{name} should be an amount such as 12.50")
        return Decimal(value)

    def integer(self, name: str) -> int:
        value = self._body.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name} should be a whole number")
        return value

    def moment(self, name: str) -> datetime:
        """A moment with its offset from UTC."""
        moment = self.moment_or_none(name)
        if moment is None:
            raise ValueError(f"{name} should be a moment")
        return moment

    def moment_or_none(self, name: str) -> datetime | None:
        value = self.text(name)
        if not value:
            return None
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(f"{name} should say its offset from UTC")
        return moment

    def uuid(self, name: str) -> UUID:
        return UUID(self.text(name))

    def choice(self, name: str, choices: type[Choice]) -> Choice:
        return choices(self.text(name))

    def objects(self, name: str) -> Sequence[Mapping[str, Any]]:
        value = self._body.get(name, [])
        if not isinstance(value, list) or not all(isinstance(member, Mapping) for member in value):
            raise ValueError(f"{name} should be a list of objects")
        return value
