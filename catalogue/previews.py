"""What would be different: the price of one filing before and after a new version, and the prices of a product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Unpack

from catalogue.models import FeeCode, FeeSchedule, Product, TaxRate
from catalogue.operations.records import DAY, NoSuchRecord, RecordInvalid
from catalogue.operations.versions import ScheduleChanges, changed_schedule
from catalogue.pricing import GST, price_of
from catalogue.quote import ZERO, AccountTerms, Caller, FilingLine, Quote, SchedulePrice, quote
from kernel.errors import FieldError

# What a variable price is shown with: it has no amount of its own.
EXAMPLE_FEE = Decimal("100.00")
FEE_FIELDS = ("fee_code", "priority_fee_code", "future_effective_fee_code", "service_fee_code")


@dataclass(frozen=True, slots=True)
class AmountChange:
    """One amount of an order before and after."""

    label: str
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class PricePreview:
    """One filing with everything that it can be ordered with, by a customer: each fee, the taxes, the total."""

    amounts: tuple[AmountChange, ...]
    is_example: bool

    @property
    def total(self) -> AmountChange:
        return self.amounts[-1]


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """A filing type of a product: what it costs on the day, and from when on it costs what next; None for nothing."""

    filing_type: str
    description: str
    today: SchedulePrice | None
    next: SchedulePrice | None
    next_from: date | None
    ends_on: date | None


def price_preview(
    schedule_id: int, *, fee_code: str, starts_on: date, **changes: Unpack[ScheduleChanges]
) -> PricePreview:
    """What one filing costs the day before `starts_on`, and on it, should the price change as given.

    With priority and later effect where the price has them. Raises NoSuchRecord and RecordInvalid.
    """
    old = FeeSchedule.objects.with_fees().filter(pk=schedule_id).first()
    if old is None:
        raise NoSuchRecord(f"There is no fee schedule {schedule_id}.")
    new = changed_schedule(old, fee_code=fee_code, **changes)
    _know_fees(new)
    before, after = price_of(old), replace(price_of(new), schedule_id=old.pk)
    is_example = before.variable or after.variable
    return _compared(_quoted(before, starts_on - DAY), _quoted(after, starts_on), is_example)


def price_list(product: Product, *, on: date) -> list[ListedPrice]:
    """Every filing type that has a price of the product on the day or later, by code; one query."""
    schedules = product.fee_schedules.with_fees().meeting(on, None)
    by_type: dict[str, list[FeeSchedule]] = {}
    for schedule in schedules:
        by_type.setdefault(schedule.filing_type_id, []).append(schedule)
    return [_listed(code, versions, on) for code, versions in sorted(by_type.items())]


def rate_of_day(on: date) -> Decimal | None:
    """The rate of GST on the day; None where there is none, which a preview can live with and an order cannot."""
    return TaxRate.objects.on(on).filter(tax_type=GST).values_list("rate", flat=True).first()


def _listed(code: str, versions: list[FeeSchedule], on: date) -> ListedPrice:
    current = next((version for version in versions if version.is_in_force(on)), None)
    coming = next((version for version in versions if not version.has_begun(on)), None)
    return ListedPrice(
        filing_type=code,
        description=versions[0].filing_type.description,
        today=None if current is None else price_of(current),
        next=None if coming is None else price_of(coming),
        next_from=None if coming is None else coming.starts_on,
        ends_on=None if current is None else current.ends_on,
    )


def _know_fees(schedule: FeeSchedule) -> None:
    """Reads the amounts of the fees that the schedule names, in one query."""
    named = {name: getattr(schedule, f"{name}_id") for name in FEE_FIELDS}
    known: Mapping[str, FeeCode] = FeeCode.objects.in_bulk([code for code in named.values() if code is not None])
    for name, code in named.items():
        if code is not None and code not in known:
            message = f"There is no fee code {code}."
            raise RecordInvalid(message, errors=(FieldError(name, "unknown", message),))
        setattr(schedule, name, None if code is None else known[code])


def _quoted(price: SchedulePrice, on: date) -> Quote:
    line = FilingLine(
        price.filing_type, priority=True, future_effective=True, fee=EXAMPLE_FEE if price.variable else None
    )
    rate = rate_of_day(on)
    return quote([(line, price)], terms=AccountTerms(), caller=Caller(), gst_rate=ZERO if rate is None else rate)


def _compared(before: Quote, after: Quote, is_example: bool) -> PricePreview:
    old, new = before.lines[0], after.lines[0]
    labels = {
        "Filing fee": "base_fees",
        "Priority fee": "priority_fees",
        "Future-effective fee": "future_effective_fees",
        "Service fee": "service_fees",
        "GST on the statutory fees": "statutory_gst",
        "GST on the service fee": "service_gst",
    }
    amounts = [AmountChange(label, getattr(old, name), getattr(new, name)) for label, name in labels.items()]
    return PricePreview((*amounts, AmountChange("To be paid", before.total, after.total)), is_example)
