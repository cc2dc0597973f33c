from __future__ import annotations

import pytest

from kernel.errors import (
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    PaymentsiteError,
    RateLimited,
    Refused,
    Unauthenticated,
    Unavailable,
)

FAMILIES = (Refused, Conflict, Unavailable)


@pytest.mark.parametrize(
    ("error", "status", "family"),
    [
        (Refused, 422, Refused),
        (Unauthenticated, 401, Refused),
        (Forbidden, 403, Refused),
        (NotFound, 404, Refused),
        (Conflict, 409, Conflict),
        (Unavailable, 503, Unavailable),
        (RateLimited, 429, Unavailable),
    ],
)
def test_an_error_belongs_to_one_family_and_says_what_to_do(
    error: type[PaymentsiteError], status: int, family: type[PaymentsiteError]
) -> None:
    made = error()
    assert (made.status, [other for other in FAMILIES if isinstance(made, other)]) == (status, [family])
    assert made.detail.endswith(".")
    assert made.next_step.endswith(".")
    assert made.code == made.code.lower()


def test_an_error_carries_its_sentence_its_fields_and_its_context() -> None:
    field = FieldError("amount", "too-large", "At most 5.00.")
    error = Conflict("Recorded otherwise.", errors=(field,), payment_id=7)
    assert (str(error), error.detail, error.context) == (
        "Recorded otherwise.",
        "Recorded otherwise.",
        {"payment_id": 7},
    )
    assert error.errors[0].as_dict() == {"field": "amount", "code": "too-large", "message": "At most 5.00."}


def test_the_docstring_is_the_sentence_when_none_is_given_and_is_inherited() -> None:
    class Told(Refused):
        """The bank is closed.

        More words for the reader of the code.
        """

    class Untold(Told):
        code = "untold"

    assert Told().detail == Untold().detail == "The bank is closed."


def test_the_wait_is_said_in_seconds_beside_the_context() -> None:
    error = Unavailable(retry_after_seconds=30, broker="events")
    assert (error.retry_after_seconds, error.context) == (30, {"broker": "events"})
