"""The Celery app, and the whole schedule on one page. Staff change the schedule in the console (Periodic tasks)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentsite.settings")

app = Celery("paymentsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One line of the schedule. A message that waits longer than the interval is dropped: the next does its work."""

    name: str
    task: str
    every: timedelta
    why: str


def schedule() -> tuple[Scheduled, ...]:
    """Everything that happens by itself, how often, and why."""
    return (*_all_day_long(), *_of_invoices_and_accounts(), *_now_and_then())


def _all_day_long() -> tuple[Scheduled, ...]:
    return (
        Scheduled(
            "Ingest staged payments",
            "payments.tasks.ingest_staging",
            timedelta(seconds=settings.STAGING_INTERVAL_SECONDS),
            "Turns the rows that the ETL staged into payments.",
        ),
        Scheduled(
            "Relay events to Kafka",
            "kernel.outbox.tasks.relay_outbox",
            timedelta(seconds=60),
            "Safety sweep: publishes what the relay did not, because it was down or missed its wake-up.",
        ),
        Scheduled(
            "Seal the audit",
            "kernel.audit.tasks.seal",
            timedelta(seconds=5),
            "Chains new audit entries and events by hash, a few seconds behind their writers.",
        ),
        Scheduled(
            "Start queued jobs",
            "kernel.jobs.tasks.start_queued_jobs",
            timedelta(seconds=10),
            "Starts jobs whose message to the workers was not sent or got lost.",
        ),
        Scheduled(
            "Expire requests for approval",
            "kernel.approvals.tasks.expire",
            timedelta(minutes=5),
            "Ends requests that no second person decided in time, so that nobody approves what is out of date.",
        ),
        Scheduled(
            "End silent jobs",
            "kernel.jobs.tasks.fail_silent_jobs",
            timedelta(seconds=60),
            "Ends job runs whose process died, so that nobody waits for them.",
        ),
        Scheduled(
            "Verify the quick invariants",
            "kernel.invariants.tasks.verify_quick",
            timedelta(minutes=10),
            "The same for what came last, at little cost.",
        ),
    )


def _of_invoices_and_accounts() -> tuple[Scheduled, ...]:
    return (
        Scheduled(
            "Ask about unknown outcomes",
            "invoices.tasks.resolve_outcomes",
            timedelta(seconds=60),
            "Learns what became of calls to the card gateway and the prepaid mainframe whose answer never came.",
        ),
        Scheduled(
            "Find late card payments",
            "invoices.tasks.find_late_card_payments",
            timedelta(hours=1),
            "Asks once a day about card payments that were given up: some are made on a page that was left open.",
        ),
        Scheduled(
            "Mark overdue invoices",
            "invoices.tasks.mark_overdue",
            timedelta(hours=1),
            "Marks transfers that are past their overdue date, which locks their accounts.",
        ),
        Scheduled(
            "Confirm refunds of prepaid accounts",
            "invoices.tasks.confirm_drawdown_refunds",
            timedelta(hours=6),
            "Finishes refunds whose debit the help desk of the prepaid accounts has reversed.",
        ),
        Scheduled(
            "Activate debits",
            "accounts.tasks.activate_pads",
            timedelta(minutes=30),
            "Lets accounts be debited once the waiting time after they accepted the terms has passed.",
        ),
    )


def _now_and_then() -> tuple[Scheduled, ...]:
    return (
        Scheduled(
            "Turn references over",
            "payments.tasks.rotate_references",
            timedelta(hours=6),
            "Keeps the gate of exactly-once small: references older than REFERENCE_CACHE_TTL_DAYS go into the history.",
        ),
        Scheduled(
            "Make partitions ahead",
            "payments.tasks.ensure_partitions",
            timedelta(hours=1),
            "Keeps the next months' partitions of the payments ready, so that no row falls into the default one.",
        ),
        Scheduled(
            "Archive old months",
            "payments.tasks.archive_partitions",
            timedelta(hours=12),
            "Writes months past their retention to files, verifies these, and only then drops the months.",
        ),
        Scheduled(
            "Verify every invariant",
            "kernel.invariants.tasks.verify",
            timedelta(days=1),
            "Proves from the tables themselves that no payment, reference or event is lost, doubled or altered.",
        ),
        Scheduled(
            "Prune history",
            "kernel.pruning.tasks.prune",
            timedelta(days=1),
            "Deletes receipts, logs, events and the like that are older than their settings say.",
        ),
    )
