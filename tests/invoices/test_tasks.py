"""The scheduled ticks make a run when something waits, and none when nothing does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from invoices.models import CardAttempt, Invoice
from invoices.operations.calling import make_call
from invoices.operations.refundapprovals import request_refund
from invoices.tasks import (
    confirm_drawdown_refunds_when_any,
    find_late_card_payments_when_any,
    mark_overdue,
    resolve_outcomes_when_any,
)
from kernel.jobs.models import JobRun
from tests.invoices.billed import AT, CLIENT, an_invoice, stored
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)

Tick = Callable[[], None]


def an_attempt(invoice: Invoice, *, status: str, **ago: float) -> CardAttempt:
    """A card payment that was opened so long ago."""
    started_at = timezone.now() - timedelta(**ago)
    return CardAttempt.objects.create(
        invoice=invoice, status=status, status_since=started_at, amount=invoice.total, started_at=started_at
    )


@pytest.mark.parametrize(
    "tick", [resolve_outcomes_when_any, find_late_card_payments_when_any, confirm_drawdown_refunds_when_any]
)
def test_no_run_is_made_when_nothing_waits(tick: Tick) -> None:
    an_attempt(an_invoice("DIRECT_PAY"), status="CREATED", minutes=29)
    an_attempt(an_invoice("DIRECT_PAY"), status="FAILED", days=31)

    tick()

    assert JobRun.objects.count() == 0


def test_a_debit_without_an_answer_is_asked_about(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN", at=timezone.now() - timedelta(minutes=16))

    resolve_outcomes_when_any()

    run = JobRun.objects.get()
    assert (run.name, run.status) == ("resolve_outcomes", "succeeded")
    assert run.result is not None
    # Nobody has asked for it within its quarter of an hour.
    assert run.result["calls"] == {"looked_at": 1, "moved_on": 1, "failed": 0, "failures": []}
    assert (stored(invoice).status, simulators.debits()) == ("CANCELLED", [])


@pytest.mark.parametrize(
    ("status", "ago", "tick", "job"),
    [
        ("CREATED", timedelta(minutes=31), resolve_outcomes_when_any, "resolve_outcomes"),
        ("FAILED", timedelta(minutes=5), resolve_outcomes_when_any, "resolve_outcomes"),
        ("CANCELLED", timedelta(days=1), resolve_outcomes_when_any, "resolve_outcomes"),
        ("CANCELLED", timedelta(days=20), find_late_card_payments_when_any, "find_late_card_payments"),
    ],
)
def test_a_card_payment_that_may_have_been_made_is_asked_about(
    simulators: RunningSimulators, status: str, ago: timedelta, tick: Tick, job: str
) -> None:
    attempt = an_attempt(an_invoice("DIRECT_PAY"), status=status, seconds=ago.total_seconds())

    tick()

    assert JobRun.objects.get().name == job
    assert CardAttempt.objects.get(pk=attempt.pk).checked_at is not None
    assert [call["path"] for call in simulators.calls("card")] == [f"/card/api/orders/REGT{attempt.invoice_id:08d}"]


def test_a_refund_of_a_drawdown_is_confirmed_once_the_debit_is_reversed(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")
    make_call(invoice.outside_calls.get().pk, clock=lambda: AT)
    request_refund(invoice.pk, None, reason="Twice", actor=CLIENT, scopes=["refunds:request"], at=AT)
    simulators.reverse(f"REGT{invoice.pk:08d}")

    confirm_drawdown_refunds_when_any()

    assert (JobRun.objects.get().name, stored(invoice).status) == ("confirm_drawdown_refunds", "REFUNDED")


def test_transfers_past_their_date_are_marked() -> None:
    invoice = an_invoice("EFT", at=timezone.now() - timedelta(days=120))

    mark_overdue()

    assert (JobRun.objects.get().name, stored(invoice).status) == ("mark_overdue", "OVERDUE")
