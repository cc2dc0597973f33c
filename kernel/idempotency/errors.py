"""What can be wrong with an Idempotency-Key."""

from __future__ import annotations

from kernel.errors import Conflict, FieldError, Refused

HEADER = "Idempotency-Key"
LONGEST_KEY = 255


class IdempotencyKeyMissing(Refused):
    """This request changes something and came without an Idempotency-Key."""

    status = 400
    code = "idempotency-key-missing"
    title = "Idempotency-Key missing"
    next_step = "Send an Idempotency-Key that is new for each intent, such as a UUID, and the same one when you repeat."


class IdempotencyKeyInvalid(Refused):
    """The Idempotency-Key is not usable."""

    status = 400
    code = "idempotency-key-invalid"
    title = "Idempotency-Key invalid"
    next_step = f"Send 1 to {LONGEST_KEY} printable ASCII characters, such as a UUID."

    def __init__(self) -> None:
        super().__init__(errors=(FieldError(HEADER, "invalid", f"1 to {LONGEST_KEY} printable ASCII characters."),))


class IdempotencyKeyReused(Refused):
    """This Idempotency-Key was used for a request with other content; nothing was done."""

    code = "idempotency-key-reused"
    title = "Idempotency-Key reused"
    next_step = "Repeat the first request unchanged to hear its answer, or send this one under a key of its own."


class IdempotencyKeyInUse(Conflict):
    """The first request under this Idempotency-Key is still running."""

    code = "idempotency-key-in-use"
    title = "First request still running"
    next_step = "Repeat the same request with the same key after the seconds in Retry-After."
    retry_after_seconds = 2
