"""The overview's figures as cards: what it is, how much, whether that is well, and where to act."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.contrib.admin import site
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.overview import Overview
from console.querysets import INVOICES_COUNTED, STUCK_AFTER
from invoices.models import Invoice
from kernel.approvals.models import ApprovalRequest
from kernel.invariants.models import InvariantOutcome
from kernel.jobs.models import JobRun
from kernel.measurements.models import Measurement
from kernel.outbox.models import OutboxEvent
from payments.admin.display import badge, length, list_address, moment
from payments.models import (
    Payment,
    PaymentStaging,
    ReferenceConflict,
    StagingDuplicate,
    StagingProcessLog,
    StagingRejection,
)
from payments.states import BatchStatus

NOT_READ = "not read in time"
BACKLOG_PATIENCE = timedelta(seconds=4 * settings.STAGING_INTERVAL_SECONDS)
OUTBOX_PATIENCE = timedelta(minutes=1)
ALERTS_SHOWN = 2
# The schedule looks at all of them once a day.
VERIFY_PATIENCE = timedelta(hours=36)


@dataclass(frozen=True, slots=True)
class Card:
    """One figure. `kind` is good, attention or bad and never stands without its word."""

    title: str
    value: str
    kind: str
    word: str
    meaning: str
    kind_of_record: type[Model]
    filters: tuple[tuple[str, str], ...] = ()
    more: tuple[str | SafeString, ...] = ()

    @property
    def state(self) -> SafeString:
        return badge(self.word, self.kind)

    @property
    def address(self) -> str:
        return list_address(self.kind_of_record, dict(self.filters))

    def may_be_seen(self, request: HttpRequest) -> bool:
        """Whether the list that the card leads to opens for this person."""
        return site.is_registered(self.kind_of_record) and bool(
            site.get_model_admin(self.kind_of_record).has_view_permission(request)
        )


def cards_for(request: HttpRequest, found: Overview) -> tuple[list[Card], list[Card]]:
    """(what needs a person or may soon, how it flows): the cards that this person may see."""
    decisions = [
        card(found)
        for card in (_alerts, _rejections, _conflicts, _invoices, _approvals, _failed_runs, _partitions, _invariants)
    ]
    flow = [card(found) for card in (_payments_today, _duplicates_today, _backlog, _latest_batch, _outbox)]
    return (
        [card for card in decisions if card.may_be_seen(request)],
        [card for card in flow if card.may_be_seen(request)],
    )


def _alerts(found: Overview) -> Card:
    alerts = found.alerts
    if alerts is None:
        return Card("Alerts firing", "–", "attention", "Not known", NOT_READ, Measurement)
    if alerts.sampled_at is None:
        meaning = "Nothing was measured yet. Alerts are judged from the first sample on, every 15 seconds."
        return Card("Alerts firing", "–", "plain", "Not measured yet", meaning, Measurement)
    number = len(alerts.firing)
    is_critical = any(alert.kind == "bad" for alert in alerts.firing)
    return Card(
        "Alerts firing",
        f"{number}",
        "bad" if is_critical else "attention" if number else "good",
        "Act now" if is_critical else "Needs a look" if number else "All is well",
        "The page Performance says what to do about each."
        if number
        else f"None of the {len(alerts.rules)} conditions that are watched holds.",
        Measurement,
        more=tuple(alert.summary for alert in alerts.firing[:ALERTS_SHOWN]),
    )


def _payments_today(found: Overview) -> Card:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    number = 0
    for figure in found.recorded or ():
        if figure.hour_at >= found.day_began_at:
            number += figure.count
            totals[figure.currency] += figure.amount
    zone = settings.LEDGER_ZONE.key
    return Card(
        "Recorded today",
        _shown(None if found.recorded is None else number),
        "good" if number else "plain",
        "Recording" if number else "None yet",
        f"Payments since midnight in {zone}, by the time of recording."
        if number
        else "Payments are counted here from the first one of the day on.",
        Payment,
        more=tuple(f"{amount:,.2f} {currency}" for currency, amount in sorted(totals.items())),
    )


def _duplicates_today(found: Overview) -> Card:
    number = _today(found, "duplicate")
    return Card(
        "Duplicates today",
        _shown(number),
        "good",
        "Nothing to do",
        "Payments that came again and were not recorded twice.",
        StagingDuplicate,
    )


def _backlog(found: Overview) -> Card:
    if not found.has_staging_table:
        meaning = "The setting STAGING_TABLE names a table that is not there. Its page says how to make it."
        return Card("Staging backlog", "–", "attention", "No table", meaning, PaymentStaging)
    backlog = found.backlog
    if backlog is None:
        return Card("Staging backlog", "–", "attention", "Not known", NOT_READ, PaymentStaging)
    waits = timedelta(seconds=backlog.oldest_age_seconds)
    is_late = backlog.rows > 0 and waits > BACKLOG_PATIENCE
    more = (f"the oldest waits {length(waits)}",) if backlog.rows else ()
    every = f"Staged rows are taken in every {settings.STAGING_INTERVAL_SECONDS} s."
    return Card(
        "Staging backlog",
        f"{'' if backlog.is_complete else 'at least '}{backlog.rows:,}",
        "attention" if is_late else "good",
        "Waits too long" if is_late else ("Being taken in" if backlog.rows else "Nothing waits"),
        f"{every} If the rows do not go down, look whether the worker runs." if is_late else every,
        PaymentStaging,
        more=more,
    )


def _latest_batch(found: Overview) -> Card:
    batch = found.latest_batch
    if batch is None:
        return Card(
            "Last staging batch", "–", "plain", "None yet", "Appears with the first staged rows.", StagingProcessLog
        )
    has_failed = batch.status == BatchStatus.FAILED
    return Card(
        "Last staging batch",
        f"{batch.total_records:,} rows",
        "bad" if has_failed else "good",
        "Failed" if has_failed else "Completed",
        "Its rows wait for the next run; its page tells the cause."
        if has_failed
        else f"{batch.processed_records:,} recorded, {batch.duplicate_records:,} duplicates, "
        f"{batch.conflict_records:,} conflicts, {batch.error_records:,} rejected.",
        StagingProcessLog,
        more=(moment(batch.started_at),),
    )


def _rejections(found: Overview) -> Card:
    number = found.reviews.rejections if found.reviews else None
    return Card(
        "Open rejections",
        _shown(number),
        *_waiting(number),
        "Staged rows that could not be recorded: correct or dismiss them."
        if number
        else "Every staged row could be recorded, or was decided upon.",
        StagingRejection,
    )


def _conflicts(found: Overview) -> Card:
    number = found.reviews.conflicts if found.reviews else None
    return Card(
        "Open conflicts",
        _shown(number),
        *_waiting(number),
        "A recorded reference came again with other content: say which is right."
        if number
        else "No recorded reference has come again with other content.",
        ReferenceConflict,
    )


def _invoices(found: Overview) -> Card:
    figures = found.invoices
    if figures is None:
        return Card("Invoices open", "–", "attention", "Not known", NOT_READ, Invoice)
    waits = (
        (figures.stuck, f"approved for {STUCK_AFTER.days} days and more"),
        (figures.unknown, "with an unknown outcome outside"),
        (figures.refunds, "refunds under way"),
    )
    needs_look = bool(figures.stuck or figures.unknown)
    return Card(
        "Invoices open",
        f"{figures.open:,}{'+' if figures.open >= INVOICES_COUNTED else ''}",
        "attention" if needs_look else "good",
        "Needs a look" if needs_look else "All is well",
        "Money is still expected of their payers." if figures.open else "No invoice waits for money.",
        Invoice,
        (("status", "APPROVED"), ("age", f"{STUCK_AFTER.days}")) if figures.stuck else (("status", "open"),),
        more=tuple(f"{number:,} {words}" for number, words in waits if number),
    )


def _approvals(found: Overview) -> Card:
    number = found.approvals
    return Card(
        "Waiting for approval",
        _shown(number),
        *_waiting(number),
        "One person asked, another must decide. Those that wait for you stand first."
        if number
        else "Nobody waits for a second person to agree.",
        ApprovalRequest,
    )


def _outbox(found: Overview) -> Card:
    outbox = found.outbox
    if outbox is None:
        return Card("Events waiting", "–", "attention", "Not known", NOT_READ, OutboxEvent)
    waits = timedelta(seconds=outbox.oldest_age_seconds)
    is_late = outbox.waiting > 0 and waits > OUTBOX_PATIENCE
    return Card(
        "Events waiting",
        f"{outbox.waiting:,}{'+' if outbox.is_capped else ''}",
        "attention" if is_late else "good",
        "Delivery is behind" if is_late else ("On their way" if outbox.waiting else "All delivered"),
        "The message broker does not take them. None is lost: they go out in order when it is back."
        if is_late
        else "Events for other systems go out within a second or so.",
        OutboxEvent,
        more=(f"the oldest waits {length(waits)}",) if outbox.waiting else (),
    )


def _failed_runs(found: Overview) -> Card:
    number = found.failed_runs
    return Card(
        "Failed job runs",
        _shown(number),
        *(("bad", "Look at them") if number else ("good", "All is well")),
        "In the last 24 hours. Each run's page tells the cause." if number else "No job failed in the last 24 hours.",
        JobRun,
        (("status__exact", "failed"),),
    )


def _partitions(found: Overview) -> Card:
    parts = found.partitions
    if parts is None:
        return Card("Months prepared ahead", "–", "attention", "Not known", NOT_READ, StagingProcessLog)
    wanted = settings.PARTITION_MONTHS_AHEAD
    if parts.default_rows:
        return Card(
            "Months prepared ahead",
            f"{parts.months_ahead}",
            "bad",
            "Rows lie outside",
            f"{parts.default_rows:,} payments lie in the default partition because their month was not made in time. "
            "Tell whoever runs the database; ./run manage partitions makes months.",
            Payment,
        )
    is_short = parts.months_ahead < wanted
    return Card(
        "Months prepared ahead",
        f"{parts.months_ahead}",
        "attention" if is_short else "good",
        f"Fewer than {wanted}" if is_short else "All is well",
        "Payments are stored by month. ./run manage partitions makes the missing months."
        if is_short
        else "Payments are stored by month, and none lies outside its month.",
        Payment,
    )


def _invariants(found: Overview) -> Card:
    title, page = "Invariants broken", InvariantOutcome
    if found.invariants is None:
        return Card(title, "–", "attention", "Not known", NOT_READ, page)
    if not found.invariants:
        return Card(title, "–", "plain", "Not verified yet", "The first look comes within ten minutes.", page)
    broken = [outcome for outcome in found.invariants if outcome.broken]
    if broken:
        meaning = f"{broken[0].sentence} This is not so any more: tell whoever runs the database, and change nothing."
        return Card(title, f"{len(broken):,}", "bad", "Records contradict", meaning, page)
    looked_at = found.invariants[0].checked_at
    is_old = found.at - looked_at > VERIFY_PATIENCE
    return Card(
        title,
        "0",
        "attention" if is_old else "good",
        "Not verified of late" if is_old else "All is well",
        "The daily verification has not run. Look whether the worker and the schedule run, or press Verify now."
        if is_old
        else f"Nothing was lost, doubled or altered: {len(found.invariants)} sentences proved from the tables.",
        page,
        more=(format_html("the oldest look was {}", moment(looked_at)),),
    )


def _today(found: Overview, label: str) -> int | None:
    if found.troubles is None:
        return None
    return sum(
        figure.count for figure in found.troubles if figure.label == label and figure.hour_at >= found.day_began_at
    )


def _waiting(number: int | None) -> tuple[str, str]:
    if number is None:
        return "attention", NOT_READ
    return ("attention", "Waits for a decision") if number else ("good", "All is well")


def _shown(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"
