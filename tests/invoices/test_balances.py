"""The status follows from what came and what went back: whatever the amounts, there is one, and it is the right one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.balances import Facts, implied_status
from invoices.states import FINAL_STATUSES, OPEN_STATUSES, InvoiceStatus

S = InvoiceStatus
TOTAL = Decimal("33.08")
UNPAID = Facts(first_status=S.APPROVED, total=TOTAL)
PAID = replace(UNPAID, paid=TOTAL, is_settled=True)
TEN = Decimal(10)
FLAGS = (
    *("is_settled", "is_cancelled", "is_abandoned", "is_deleted", "is_bounced"),
    *("is_overdue", "is_charged_back", "is_gl_changed", "is_scheduled"),
)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Any that the constraints of the database allow: nothing negative, paid and given back within the total."""
    total = draw(st.integers(0, 9999))
    paid = draw(st.integers(0, total))
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=4, max_size=4)))
    amounts = [high - low for low, high in zip([0, *cuts], cuts, strict=False)]
    drawn: dict[str, Any] = {name: draw(st.booleans()) for name in FLAGS}
    for name, cents in zip(("refunded", "credited", "manual", "pending"), amounts, strict=True):
        drawn[name] = Decimal(cents).scaleb(-2)
    return Facts(
        first_status=draw(st.sampled_from([S.CREATED, S.APPROVED])),
        total=Decimal(total).scaleb(-2),
        paid=Decimal(paid).scaleb(-2),
        **drawn,
    )


@pytest.mark.parametrize(
    ("known", "status"),
    [
        (UNPAID, S.APPROVED),
        (replace(UNPAID, first_status=S.CREATED), S.CREATED),
        (replace(UNPAID, paid=Decimal("0.01")), S.PARTIAL_PAID),
        (replace(UNPAID, paid=TOTAL - Decimal("0.01")), S.PARTIAL_PAID),
        (replace(UNPAID, is_scheduled=True), S.SETTLEMENT_SCHED),
        (replace(UNPAID, is_scheduled=True, paid=TEN), S.PARTIAL_PAID),
        (replace(UNPAID, is_bounced=True, paid=TEN), S.SETTLEMENT_SCHED),
        (replace(UNPAID, is_overdue=True, paid=TEN), S.OVERDUE),
        (PAID, S.PAID),
        (replace(PAID, is_settled=False), S.PARTIAL_PAID),
        (replace(PAID, is_gl_changed=True), S.GL_UPDATED),
        (replace(PAID, credited=TEN), S.PAID),
        (replace(PAID, credited=TOTAL), S.CREDITED),
        (replace(PAID, refunded=TOTAL), S.REFUNDED),
        (replace(PAID, refunded=TOTAL, is_gl_changed=True), S.GL_UPDATED_REFUND),
        (replace(PAID, pending=TOTAL), S.REFUND_REQUESTED),
        (replace(PAID, refunded=TEN, pending=TOTAL - TEN), S.REFUND_REQUESTED),
        (replace(PAID, pending=TEN), S.PAID),
        (replace(PAID, manual=TOTAL), S.MANUALLY_REFUNDED),
        (replace(PAID, refunded=TEN, manual=TOTAL - TEN), S.MANUALLY_REFUNDED),
        (replace(PAID, refunded=TEN, credited=TOTAL - TEN), S.REFUNDED),
        # The debit was credited while it was under way, and bounced: the payer has the credit and owes the invoice.
        (replace(UNPAID, credited=TOTAL), S.CREDITED),
        (replace(UNPAID, credited=TOTAL, is_bounced=True), S.SETTLEMENT_SCHED),
        (replace(PAID, is_charged_back=True), S.CHARGEBACK),
        (replace(UNPAID, is_cancelled=True), S.CANCELLED),
        (replace(UNPAID, is_abandoned=True), S.DELETE_ACCEPTED),
        (replace(UNPAID, is_abandoned=True, is_deleted=True), S.DELETED),
        (Facts(first_status=S.CREATED, total=Decimal(0)), S.CREATED),
        (Facts(first_status=S.CREATED, total=Decimal(0), is_settled=True), S.PAID),
    ],
)
def test_these_facts_imply_this_status(known: Facts, status: InvoiceStatus) -> None:
    assert implied_status(known) == status


@given(facts())
def test_the_status_and_what_is_owed_never_contradict_each_other(known: Facts) -> None:
    status = implied_status(known)

    assert Decimal(0) <= known.owing <= known.total
    if status in OPEN_STATUSES and known.total:
        assert known.owing == known.total - known.paid
    if status in FINAL_STATUSES | {S.PAID, S.GL_UPDATED, S.REFUND_REQUESTED, S.DELETE_ACCEPTED}:
        assert known.owing == 0
    if status in (S.PAID, S.GL_UPDATED):
        assert known.paid == known.total
    if status in (S.REFUNDED, S.CREDITED, S.MANUALLY_REFUNDED, S.GL_UPDATED_REFUND):
        assert known.undone == known.total
    if status == S.REFUND_REQUESTED:
        assert known.undone + known.pending == known.total


@given(facts(), st.integers(1, 9999))
def test_more_money_never_takes_an_invoice_back_from_paid(known: Facts, cents: int) -> None:
    if implied_status(known) not in (S.PAID, S.GL_UPDATED):
        return
    more = min(known.total, known.paid + Decimal(cents).scaleb(-2))
    assert implied_status(replace(known, paid=more)) == implied_status(known)


@given(facts())
def test_what_was_stopped_or_charged_back_stays_so_whatever_money_comes(known: Facts) -> None:
    if implied_status(known) in (S.CANCELLED, S.DELETED, S.DELETE_ACCEPTED, S.CHARGEBACK):
        assert implied_status(replace(known, paid=known.total, is_settled=True)) == implied_status(known)
