"""Refusals of the operations, with each field named as the body or the address of the request has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from catalogue.pricing import NoFeeSchedule
from catalogue.quote import FilingLine
from kernel.errors import FieldError, Refused

LINES = "filingInfo.filingTypes"
PRODUCT = "businessInfo.corpType"


@contextmanager
def named_as_in_the_body(lines: Sequence[FilingLine]) -> Iterator[None]:
    """What is refused inside names filingInfo.filingTypes[2].quantity, and not filingTypes[2].quantity."""
    try:
        yield
    except NoFeeSchedule as refused:
        missing = set(refused.context.get("filing_types", ()))
        refused.errors = tuple(
            FieldError(f"{LINES}[{place}].filingTypeCode", refused.code, f"No price for {line.filing_type}.")
            for place, line in enumerate(lines)
            if line.filing_type in missing
        )
        raise
    except Refused as refused:
        refused.errors = tuple(replace(error, field=_named(error.field)) for error in refused.errors)
        raise


@contextmanager
def named_as_in_the_address() -> Iterator[None]:
    """What is refused inside about the one filing of a GET names fee or filing_type, and not filingTypes[0].fee."""
    try:
        yield
    except Refused as refused:
        whole = "filing_type" if isinstance(refused, NoFeeSchedule) else "quantity"
        refused.errors = tuple(
            replace(error, field=whole if error.field == "filingTypes" else error.field.removeprefix("filingTypes[0]."))
            for error in refused.errors
        )
        raise


def _named(field: str) -> str:
    if field == "product":
        return PRODUCT
    return f"filingInfo.{field}" if field.startswith("filingTypes") else field
