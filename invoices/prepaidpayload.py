"""What is sent to the prepaid mainframe for one invoice: amount, fee code and remarks. Pure, in exact decimals.

The service fee is never sent as money: the mainframe adds it by itself, by the fee code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from kernel.errors import Refused

AMOUNT_DIGITS = 10
LARGEST_AMOUNT = Decimal("99999999.99")
REMARKS_LENGTH = 50
# Documents filed by staff at this counter pay the mainframe's own fee, as everybody else does.
CHARGED_LIKE_EVERYBODY = "CSBPDOC"
FULL_SERVICE_FEES = (Decimal("1.50"), Decimal("1.05"))
PARTIAL_SERVICE_FEE = Decimal("1.00")

_amount_text = re.compile(r"[0-9]{10}", re.ASCII)
_unprintable = re.compile(r"[^ -~]+")


class PrepaidAmountUnfit(Refused):
    """The amount has no form in the mainframe's ten digits of cents."""

    code = "prepaid-amount-unfit"
    title = "Amount unfit for the prepaid account"
    next_step = f"Send whole cents from 0.01 to {LARGEST_AMOUNT}."


class FeeCodeMissing(Refused):
    """The product has no fee code of the prepaid mainframe for this service fee."""

    code = "prepaid-fee-code-missing"
    title = "Prepaid fee code missing"
    next_step = "Set the product's fee codes of the prepaid mainframe in the catalogue."


@dataclass(frozen=True, slots=True)
class FeeCodes:
    """A product's fee codes at the mainframe, which adds its fee by them; empty where it has none."""

    full: str
    partial: str = ""
    none: str = ""
    staff: str = ""


@dataclass(frozen=True, slots=True)
class FeeCodeChoice:
    """The code to send, and a sentence for the record where the service fee is none that the mainframe knows."""

    code: str
    note: str = ""


def debit_amount(line_totals: Iterable[Decimal]) -> Decimal:
    """What is debited: the sum of the lines' totals, which hold neither service fee nor GST. In dollars.

    Raises PrepaidAmountUnfit when it is not from 0.01 to 99,999,999.99 in whole cents.
    """
    return amount_from_text(amount_text(sum(line_totals, Decimal(0))))


def amount_text(amount: Decimal) -> str:
    """Dollars as the mainframe's ten digits of cents: 19.99 is 0000001999. Raises PrepaidAmountUnfit, never rounds."""
    if not isinstance(amount, Decimal):
        raise TypeError(f"An amount is a Decimal, not a value of the type {type(amount).__name__}.")
    if not amount.is_finite() or not 0 < amount <= LARGEST_AMOUNT:
        raise PrepaidAmountUnfit(f"{amount} should be from 0.01 to {LARGEST_AMOUNT}.")
    cents = amount.scaleb(2)
    if cents != cents.to_integral_value():
        raise PrepaidAmountUnfit(f"{amount} has a part of a cent.")
    return f"{int(cents):0{AMOUNT_DIGITS}d}"


def amount_from_text(text: str) -> Decimal:
    """Ten digits of cents as dollars with two decimals. Raises PrepaidAmountUnfit for anything else."""
    if not _amount_text.fullmatch(text):
        raise PrepaidAmountUnfit(f"{text[:20]!r} should be {AMOUNT_DIGITS} digits of cents.")
    return Decimal(int(text)).scaleb(-2)


def fee_code(
    codes: FeeCodes, service_fees: Decimal, *, is_staff: bool = False, filing_types: Collection[str] = ()
) -> FeeCodeChoice:
    """The fee code for an invoice whose service fees are so much. Raises FeeCodeMissing.

    1.50 or 1.05: full; 1.00: partial; 0: none; anything else: full, with a note for staff. Staff and system clients:
    the staff code, unless a CSBPDOC is filed.
    """
    if is_staff and CHARGED_LIKE_EVERYBODY not in filing_types:
        return _chosen(codes.staff, "staff")
    if service_fees in FULL_SERVICE_FEES:
        return _chosen(codes.full, "the full service fee")
    if service_fees == PARTIAL_SERVICE_FEE:
        return _chosen(codes.partial, "the partial service fee")
    if service_fees == 0:
        return _chosen(codes.none, "no service fee")
    note = f"The mainframe has no fee code for a service fee of {service_fees:.2f}: the full one was sent."
    return _chosen(codes.full, "the full service fee", note=note)


def remarks(identifier: str, filing_types: Sequence[str], first_name: str) -> str:
    """`identifier(types)-FirstName`, in printable ASCII, cut to 50 characters."""
    whole = f"{identifier}({','.join(filing_types)})-{first_name}"
    return _unprintable.sub("?", whole)[:REMARKS_LENGTH]


def _chosen(code: str, what_for: str, *, note: str = "") -> FeeCodeChoice:
    if not code:
        raise FeeCodeMissing(f"The product has no fee code of the prepaid mainframe for {what_for}.")
    return FeeCodeChoice(code, note)
