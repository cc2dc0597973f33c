"""Reads what is charged on a day, and where it is booked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal

from catalogue.models import FeeCode, FeeSchedule, GLCode, GLLink, Product, TaxRate
from catalogue.quote import ZERO, AccountTerms, Caller, FilingLine, Quote, SchedulePrice, quote
from kernel.errors import FieldError, Refused

GST = "GST"
# What belongs to a GL code, by field.
LINKED = ("service_fee_gl", "disbursement_gl", "statutory_gst_gl", "service_gst_gl")


class UnknownProduct(Refused):
    """There is no such product."""

    code = "unknown-product"
    title = "Unknown product"
    next_step = "Use a product code of the catalogue."


class NoFeeSchedule(Refused):
    """A filing type has no price for the product on the day."""

    code = "no-fee-schedule"
    title = "No price"
    next_step = "Use a filing type of this product, or let an administrator give it a price in the catalogue."


class NoTaxRate(Refused):
    """No tax rate is in force on the day."""

    code = "no-tax-rate"
    title = "No tax rate"
    next_step = "Let an administrator add the rate to the catalogue."


class GLCodeMissing(Refused):
    """A price has no GL code on the day, so that what it brings in could not be booked."""

    code = "gl-code-missing"
    title = "GL code missing"
    next_step = "Let an administrator link a GL code to the price in the catalogue."


def quote_on(product_code: str, lines: Sequence[FilingLine], *, on: date, terms: AccountTerms, caller: Caller) -> Quote:
    """What these filing types of the product cost on the day. Raises what `prices_on`, `gst_rate_on` and `quote` do."""
    prices = prices_on(product_code, {line.filing_type for line in lines}, on=on)
    is_taxed = any(price.statutory_gst or price.service_gst for price in prices.values())
    rate = gst_rate_on(on) if is_taxed else ZERO
    return quote([(line, prices[line.filing_type]) for line in lines], terms=terms, caller=caller, gst_rate=rate)


def prices_on(product_code: str, filing_types: Collection[str], *, on: date) -> dict[str, SchedulePrice]:
    """By filing type, what each costs on the day; one query, two when something is missing.

    Raises UnknownProduct, and NoFeeSchedule naming every filing type without a price.
    """
    schedules = FeeSchedule.objects.of(product_code, filing_types).on(on).with_fees()
    prices = {schedule.filing_type_id: price_of(schedule) for schedule in schedules}
    missing = sorted(set(filing_types) - set(prices))
    if not missing:
        return prices
    if not Product.objects.filter(pk=product_code).exists():
        message = f"There is no product {product_code!r}."
        raise UnknownProduct(message, errors=(FieldError("product", UnknownProduct.code, message),))
    message = f"{product_code} has no price for {', '.join(missing)} on {on}."
    raise NoFeeSchedule(
        message,
        errors=tuple(FieldError("filingTypes", NoFeeSchedule.code, f"No price for {code}.") for code in missing),
        product=product_code,
        filing_types=missing,
    )


def price_of(schedule: FeeSchedule) -> SchedulePrice:
    """The amounts of a schedule that was read `with_fees`."""
    return SchedulePrice(
        schedule_id=schedule.pk,
        product=schedule.product_id,
        filing_type=schedule.filing_type_id,
        description=schedule.filing_type.description,
        base=schedule.fee_code.amount,
        priority=_amount(schedule.priority_fee_code),
        future_effective=_amount(schedule.future_effective_fee_code),
        service=None if schedule.service_fee_code is None else schedule.service_fee_code.amount,
        variable=schedule.variable,
        statutory_gst=schedule.statutory_gst,
        service_gst=schedule.service_gst,
    )


def gst_rate_on(on: date) -> Decimal:
    """The rate of GST on the day as a share of one: 0.0500. Raises NoTaxRate."""
    rate = TaxRate.objects.on(on).filter(tax_type=GST).values_list("rate", flat=True).first()
    if rate is None:
        raise NoTaxRate(f"No rate of {GST} is in force on {on}.")
    return rate


def gl_codes_on(schedule_ids: Collection[int], *, on: date) -> dict[int, GLCode]:
    """By fee schedule, the GL code that is linked on the day, with the four that belong to it; one query.

    Raises GLCodeMissing naming the schedules without one, and GLCodeInvalid naming the code and the segment.
    """
    links = (
        GLLink.objects.on(on)
        .filter(fee_schedule_id__in=list(schedule_ids))
        .select_related("gl_code", *(f"gl_code__{name}" for name in LINKED))
    )
    found = {link.fee_schedule_id: usable_gl(link.gl_code, on=on) for link in links}
    missing = sorted(set(schedule_ids) - set(found))
    if missing:
        shown = ", ".join(map(str, missing))
        raise GLCodeMissing(f"No GL code is linked on {on} to fee schedule {shown}.", fee_schedules=missing)
    return found


def usable_gl(gl_code: GLCode, *, on: date) -> GLCode:
    """The code itself, once it and those that belong to it are in force on the day and the ledger would take them.

    Raises GLCodeInvalid and GLCodeMissing.
    """
    for used in (gl_code, *(linked for name in LINKED if (linked := getattr(gl_code, name)) is not None)):
        used.require_usable()
        if not used.is_in_force(on):
            until = f" to {used.ends_on}" if used.ends_on else ""
            raise GLCodeMissing(
                f"GL code {used.pk} “{used.name}” is in force from {used.starts_on}{until}, and not on {on}.",
                gl_code=used.pk,
            )
    return gl_code


def _amount(fee: FeeCode | None) -> Decimal:
    return ZERO if fee is None else fee.amount
