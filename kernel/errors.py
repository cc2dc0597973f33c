"""Three families of error, by what the caller must do: correct it, look first, or try again later."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field: which field, a stable code, and a sentence that says what it should be."""

    field: str
    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class PaymentsiteError(Exception):
    """Base of the three families; never raised itself. `detail` is the sentence that the caller reads."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Error"
    next_step: ClassVar[str] = ""

    def __init__(self, detail: str = "", *, errors: tuple[FieldError, ...] = (), **context: Any) -> None:
        self.detail = detail or (inspect.getdoc(type(self)) or self.title).splitlines()[0]
        self.errors = errors
        self.context = context
        super().__init__(self.detail)


class Refused(PaymentsiteError):
    """The request is wrong and will stay wrong: correct it, do not repeat it."""

    status = 422
    code = "refused"
    title = "Refused"
    next_step = "Correct the request; repeating it unchanged gives the same answer."


class Unauthenticated(Refused):
    """Who is asking could not be established."""

    # The scheme that WWW-Authenticate asks for.
    challenge: ClassVar[str] = "Bearer"
    status = 401
    code = "unauthenticated"
    title = "Unauthenticated"
    next_step = "Send valid credentials."


class Forbidden(Refused):
    """Whoever is asking is known, but may not do this."""

    status = 403
    code = "forbidden"
    title = "Forbidden"
    next_step = "Ask an administrator for the permission or scope."


class NotFound(Refused):
    """There is no such thing here."""

    status = 404
    code = "not-found"
    title = "Not found"
    next_step = "Check the address and the identifier."


class Conflict(PaymentsiteError):
    """Not now, or already done differently: look at what is there before going on."""

    status = 409
    code = "conflict"
    title = "Conflict"
    next_step = "Compare with what is recorded, then decide."


class Unavailable(PaymentsiteError):
    """The other side did not answer: try the same request again later."""

    status = 503
    code = "unavailable"
    title = "Unavailable"
    next_step = "Repeat the same request after the time in Retry-After."

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 5, **context: Any) -> None:
        super().__init__(detail, **context)
        self.retry_after_seconds = retry_after_seconds


class RateLimited(Unavailable):
    """More requests came than this caller may send in the time."""

    status = 429
    code = "rate-limited"
    title = "Too many requests"
