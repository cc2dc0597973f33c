"""What an order costs: fees, waivers, one service fee an order, GST. Amounts are exact Decimals of CAD, to the cent.

Pure: prices and terms come in, amounts go out. catalogue.pricing reads the prices of a day from the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal

from kernel.errors import FieldError, Forbidden, Refused
from kernel.money import EXACT, LARGEST_AMOUNT, AmountInvalid, parse_amount

CURRENCY = "CAD"
ZERO = Decimal("0.00")
CENT = Decimal("0.01")
MOST_QUANTITY = 999_999
# Rounding is meant here, unlike in sums.
ROUNDED = Context(prec=64, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class FilingLine:
    """One thing asked for. `fee` is the amount of one, for variable prices only; `description` replaces the usual."""

    filing_type: str
    quantity: int = 1
    priority: bool = False
    future_effective: bool = False
    waive_fees: bool = False
    fee: Decimal | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class SchedulePrice:
    """What one filing type of a product costs on a day. A fee that is not there is zero; no service fee is None."""

    schedule_id: int
    product: str
    filing_type: str
    description: str
    base: Decimal
    priority: Decimal
    future_effective: Decimal
    service: Decimal | None
    variable: bool
    statutory_gst: bool
    service_gst: bool


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What an account is charged differently: no filing fees, another service fee (None: the usual one)."""

    applies_filing_fees: bool = True
    service_fee: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Staff pay no service fee and may waive; systems may be allowed to leave one out, or to waive."""

    is_staff: bool = False
    excludes_service_fee: bool = False
    may_waive: bool = False


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """One line with its amounts. `total` is base, priority and future-effective fees, without service fee and GST."""

    schedule_id: int
    filing_type: str
    description: str
    quantity: int
    base_fees: Decimal
    priority_fees: Decimal
    future_effective_fees: Decimal
    total: Decimal
    service_fees: Decimal
    statutory_gst: Decimal
    service_gst: Decimal
    pst: Decimal
    waived_fees: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """All lines, in the order asked; `total` is everything that is to be paid, `gst` both kinds together."""

    lines: tuple[QuotedLine, ...]
    total: Decimal
    service_fees: Decimal
    gst: Decimal


class NothingAsked(Refused):
    """An order needs at least one filing type."""

    code = "no-filing-types"
    title = "No filing types"


class QuantityUnfit(Refused):
    """A quantity is a whole number from 1 to 999,999."""

    code = "quantity-unfit"
    title = "Quantity unfit"


class VariableFeeMissing(Refused):
    """The price of this filing type is variable: send its amount."""

    code = "variable-fee-missing"
    title = "Variable fee missing"
    next_step = "Send `fee`, the amount of one, with this filing type."


class VariableFeeUnfit(Refused):
    """The amount sent for a variable price cannot be charged."""

    code = "variable-fee-unfit"
    title = "Variable fee unfit"
    next_step = "Send `fee` as a decimal number of zero or more with at most two decimals."


class FeeNotVariable(Refused):
    """The price of this filing type is fixed: it is not for the caller to say."""

    code = "fee-not-variable"
    title = "Fee not variable"
    next_step = "Leave `fee` out for this filing type."


class FeeWaiverRefused(Forbidden):
    """Fees are waived by staff only."""

    code = "fee-override-not-allowed"
    title = "Fees may not be waived"
    next_step = "Leave `waiveFees` out, or let a member of staff place the order."


class OrderTooLarge(Refused):
    """The order is worth more than can be recorded."""

    code = "order-too-large"
    title = "Order too large"
    next_step = "Split the order, or correct its quantities."


def quote(
    asked: Sequence[tuple[FilingLine, SchedulePrice]], *, terms: AccountTerms, caller: Caller, gst_rate: Decimal
) -> Quote:
    """What these lines cost together; `gst_rate` is a share of one (0.05).

    Raises NothingAsked, QuantityUnfit, VariableFeeMissing, VariableFeeUnfit, FeeNotVariable, FeeWaiverRefused and
    OrderTooLarge, each naming the field as the API does: `filingTypes[2].quantity`.
    """
    if not asked:
        raise _refusal(NothingAsked, "filingTypes", "An order needs at least one filing type.")
    priced = [
        _priced(line, price, terms=terms, caller=caller, field=f"filingTypes[{position}]")
        for position, (line, price) in enumerate(asked)
    ]
    lines = tuple(
        _taxed(line, price, gst_rate) for line, (_, price) in zip(_with_one_fee_of_ours(priced), asked, strict=True)
    )
    return _summed(lines)


def rounded_tax(amount: Decimal, rate: Decimal) -> Decimal:
    """The tax on an amount at a rate (a share of one), in cents; half a cent goes to the even one."""
    return EXACT.multiply(amount, rate).quantize(CENT, context=ROUNDED)


def _priced(line: FilingLine, price: SchedulePrice, *, terms: AccountTerms, caller: Caller, field: str) -> QuotedLine:
    """The line with its fees before GST, as if it were the only one of the order."""
    if type(line.quantity) is not int or not 1 <= line.quantity <= MOST_QUANTITY:
        message = f"quantity is {line.quantity!r}: it should be a whole number from 1 to {MOST_QUANTITY:,}."
        raise _refusal(QuantityUnfit, f"{field}.quantity", message)
    # A variable amount takes the place of the listed one before anything else looks at it.
    unit = _unit_price(line, price, f"{field}.fee")
    base = EXACT.multiply(unit, line.quantity)
    priority = price.priority if line.priority else ZERO
    future = price.future_effective if line.future_effective else ZERO
    if EXACT.add(EXACT.add(base, priority), future) > LARGEST_AMOUNT:
        raise _refusal(OrderTooLarge, f"{field}.quantity", f"This line is worth more than {LARGEST_AMOUNT}.")
    ours = _fee_of_ours(price, unit, terms=terms, caller=caller)
    if not terms.applies_filing_fees:
        base = priority = future = ZERO
    waived = ZERO
    if line.waive_fees:
        if not (caller.is_staff or caller.may_waive):
            raise _refusal(FeeWaiverRefused, f"{field}.waiveFees", "Fees are waived by staff only.")
        waived = _sum((base, priority, future))
        base = priority = future = ours = ZERO
    return QuotedLine(
        schedule_id=price.schedule_id,
        filing_type=price.filing_type,
        description=line.description or price.description,
        quantity=line.quantity,
        base_fees=base,
        priority_fees=priority,
        future_effective_fees=future,
        total=_sum((base, priority, future)),
        service_fees=ours,
        statutory_gst=ZERO,
        service_gst=ZERO,
        pst=ZERO,
        waived_fees=waived,
    )


def _unit_price(line: FilingLine, price: SchedulePrice, field: str) -> Decimal:
    if not price.variable:
        if line.fee is not None:
            raise _refusal(
                FeeNotVariable, field, f"The price of {price.filing_type} is {price.base}, not the caller's."
            )
        return price.base
    if line.fee is None:
        raise _refusal(VariableFeeMissing, field, f"{price.filing_type} has no price of its own: send its fee.")
    try:
        return parse_amount(line.fee, CURRENCY, field="fee", zero_allowed=True)
    except AmountInvalid as invalid:
        message = invalid.detail
        if invalid.reason == "not-positive":
            message = f"fee is {line.fee}: it should be zero or more."
        raise _refusal(VariableFeeUnfit, field, message, reason=invalid.reason) from None


def _fee_of_ours(price: SchedulePrice, unit: Decimal, *, terms: AccountTerms, caller: Caller) -> Decimal:
    """Due where the filing itself costs something, also from an account that is spared the filing's own fees."""
    if caller.is_staff or caller.excludes_service_fee or price.service is None or unit == 0:
        return ZERO
    return price.service if terms.service_fee is None else terms.service_fee


def _with_one_fee_of_ours(lines: Iterable[QuotedLine]) -> list[QuotedLine]:
    """The first line that has a service fee keeps it; an order has one."""
    kept: list[QuotedLine] = []
    has_one = False
    for line in lines:
        kept.append(replace(line, service_fees=ZERO) if has_one else line)
        has_one = has_one or line.service_fees > 0
    return kept


def _taxed(line: QuotedLine, price: SchedulePrice, rate: Decimal) -> QuotedLine:
    return replace(
        line,
        statutory_gst=rounded_tax(line.total, rate) if price.statutory_gst else ZERO,
        service_gst=rounded_tax(line.service_fees, rate) if price.service_gst else ZERO,
    )


def _summed(lines: tuple[QuotedLine, ...]) -> Quote:
    fees = _sum(line.service_fees for line in lines)
    gst = _sum(amount for line in lines for amount in (line.statutory_gst, line.service_gst))
    total = _sum((*(line.total for line in lines), fees, gst))
    if total > LARGEST_AMOUNT:
        raise _refusal(OrderTooLarge, "filingTypes", f"The order is worth more than {LARGEST_AMOUNT}.")
    return Quote(lines=lines, total=total, service_fees=fees, gst=gst)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _refusal(family: type[Refused], field: str, message: str, *, reason: str = "") -> Refused:
    return family(message, errors=(FieldError(field, reason or family.code, message),))
