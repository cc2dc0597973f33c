"""By which method an invoice is paid when its creator, its account and its product are looked at together."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from invoices.states import MethodCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What decides. `asked` is the method that the creator named, `usual` the account's own."""

    total: Decimal
    asked: str
    usual: str
    is_staff: bool
    has_prepaid_account: bool


def chosen_method(order: Order) -> str:
    """The method's code (domain.md 2.2): nothing to pay is NO_FEE; else what was asked for; else DRAWDOWN where a
    prepaid account was named; else INTERNAL for staff, and the account's own method for everybody."""
    if order.total == 0:
        return MethodCode.NO_FEE
    if order.asked:
        return order.asked
    if order.has_prepaid_account:
        return MethodCode.DRAWDOWN
    return MethodCode.INTERNAL if order.is_staff else order.usual
