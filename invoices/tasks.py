"""Jobs and scheduled tasks of invoices: each makes one call."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery import shared_task
from django.utils import timezone

from invoices.models import OutsideCall, Refund
from invoices.sweeping import (
    late_attempts,
    old_attempts,
    sweep_attempts,
    sweep_bookings,
    sweep_calls,
    sweep_card_refunds,
    sweep_drawdown_refunds,
    sweep_old_attempts,
    sweep_overdue,
    unbooked_refunds,
    waiting_attempts,
)
from kernel.audit.actors import Actor
from kernel.jobs.operations import AlreadyRunning, run_now
from kernel.jobs.progress import Progress
from kernel.jobs.registry import job


@job("resolve_outcomes", title="Ask about unknown outcomes", exclusive=True)
def resolve_outcomes(progress: Progress) -> dict[str, Any]:
    """Asks the outside what became of calls, card payments and card refunds; gives the numbers of each."""
    found = {}
    for phase, sweep in (
        ("calls", sweep_calls),
        ("card payments", sweep_attempts),
        ("card refunds", sweep_card_refunds),
        ("bookings", sweep_bookings),
    ):
        progress.report(phase=f"Asking about {phase}")
        found[phase.replace(" ", "_")] = sweep(clock=timezone.now).as_json()
    return found


@job("find_late_card_payments", title="Find late card payments", exclusive=True)
def find_late_card_payments(progress: Progress) -> dict[str, Any]:
    """Asks the card gateway about payments that were given up and may have been made all the same."""
    progress.report(phase="Asking about card payments")
    return sweep_old_attempts(clock=timezone.now).as_json()


@job("confirm_drawdown_refunds", title="Confirm refunds of prepaid accounts", exclusive=True)
def confirm_drawdown_refunds(progress: Progress) -> dict[str, Any]:
    """Finishes refunds whose debit the help desk has reversed, as the mainframe's records say."""
    progress.report(phase="Asking for reversals")
    return sweep_drawdown_refunds(clock=timezone.now).as_json()


@job("mark_overdue", title="Mark overdue invoices", exclusive=True)
def mark_overdue_invoices(progress: Progress) -> dict[str, Any]:
    """Marks transfers that are past their overdue date and locks their accounts."""
    progress.report(phase="Marking")
    return sweep_overdue(clock=timezone.now).as_json()


@shared_task(name="invoices.tasks.resolve_outcomes", ignore_result=True)
def resolve_outcomes_when_any() -> None:
    """The scheduled tick; it makes a run only when something waits for an answer."""
    at = timezone.now()
    waits = (
        OutsideCall.objects.due(at).exists()
        or waiting_attempts(at).exists()
        or late_attempts(at).exists()
        or OutsideCall.objects.awaiting_money_back(at).exists()
        or unbooked_refunds(at).exists()
    )
    if waits:
        with suppress(AlreadyRunning):
            run_now("resolve_outcomes", actor=Actor.system("invoices schedule"))


@shared_task(name="invoices.tasks.find_late_card_payments", ignore_result=True)
def find_late_card_payments_when_any() -> None:
    """The scheduled tick; it makes a run only when there is somebody to ask about."""
    if old_attempts(timezone.now()).exists():
        with suppress(AlreadyRunning):
            run_now("find_late_card_payments", actor=Actor.system("invoices schedule"))


@shared_task(name="invoices.tasks.confirm_drawdown_refunds", ignore_result=True)
def confirm_drawdown_refunds_when_any() -> None:
    """The scheduled tick; it makes a run only when a refund waits."""
    if Refund.objects.processing().filter(invoice__payment_method="DRAWDOWN").exists():
        with suppress(AlreadyRunning):
            run_now("confirm_drawdown_refunds", actor=Actor.system("invoices schedule"))


@shared_task(name="invoices.tasks.mark_overdue", ignore_result=True)
def mark_overdue() -> None:
    """The scheduled tick."""
    with suppress(AlreadyRunning):
        run_now("mark_overdue", actor=Actor.system("invoices schedule"))
