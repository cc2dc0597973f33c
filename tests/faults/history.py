"""Judges a recorded history of calls and answers against what the database holds afterwards, reference by reference.

Knows no database and no clock. For one reference number the platform is a register that can be written once: the first
content that commits stands, the same content again is a duplicate that names the payment, other content is a conflict
that names it too. A call without an answer may have had any effect, or none, at any time after it was made.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a caller was told, or learnt about a staged row afterwards."""

    CREATED = "created"  # this very call recorded the payment that it names
    DUPLICATE = "duplicate"  # the payment that it names was recorded before, with the same content
    CONFLICT = "conflict"  # the payment that it names was recorded before, with other content
    REFUSED = "refused"  # not recorded, and that is certain
    UNKNOWN = "unknown"  # no answer: the connection was lost, or the other side could not say
    LOST = "lost"  # a staged row that was accepted and has no outcome although everything was taken in


class Fault(StrEnum):
    """What a verdict can find."""

    ACKNOWLEDGED_AND_LOST = "acknowledged-and-lost"  # an answer names a payment, and there is none
    ROW_LOST = "row-lost"  # an accepted staged row has no outcome
    RECORDED_TWICE = "recorded-twice"  # two payments of one reference
    CREATED_TWICE = "created-twice"  # two calls were told that they created it
    WRONG_PAYMENT = "wrong-payment"  # an answer names another payment than the recorded one
    WRONG_CONTENT = "wrong-content"  # the payment has other content than the call that was told that it created it
    FALSE_DUPLICATE = "false-duplicate"  # told duplicate, with other content than the recorded one
    FALSE_CONFLICT = "false-conflict"  # told conflict, with the same content as the recorded one
    FROM_NOTHING = "from-nothing"  # a payment that no call can have made
    BEFORE_ITS_TIME = "before-its-time"  # an answer names a payment that no call made so early had asked for
    EVENT_MISSING = "event-missing"  # a payment without its event
    EVENT_REPEATED = "event-repeated"  # a payment with more than one event
    EVENT_DIFFERS = "event-differs"  # an event with other content than its payment
    EVENT_FROM_NOTHING = "event-from-nothing"  # an event without its payment


@dataclass(frozen=True, slots=True)
class Content:
    """What makes two notices of one reference the same payment; amount and moment as canonical text."""

    account: str
    cif: str
    amount: str
    currency: str
    moment: str


@dataclass(frozen=True, slots=True)
class Call:
    """One notice by one client, and its answer. Moments are seconds of one clock; without an answer there is none."""

    client: str
    reference: str
    content: Content
    asked_at: float
    answered_at: float | None
    kind: Kind
    payment_id: str | None = None

    def __str__(self) -> str:
        end = "…" if self.answered_at is None else f"{self.answered_at:.3f}"
        return f"{self.client} {self.asked_at:.3f}–{end} {self.kind} {self.payment_id or ''} {self.content}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A payment in the table, or the payment that an event announces."""

    payment_id: str
    reference: str
    content: Content


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault of one reference, in a sentence."""

    fault: Fault
    reference: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one reference. The history is kept for whoever has to find out why."""

    reference: str
    violations: tuple[Violation, ...]
    calls: tuple[Call, ...]

    @property
    def is_sound(self) -> bool:
        return not self.violations

    def __str__(self) -> str:
        return "\n".join(
            [f"{self.reference}:"]
            + [f"  {violation.fault}: {violation.sentence}" for violation in self.violations]
            + [f"    {call}" for call in self.calls]
        )


def judge(calls: Iterable[Call], payments: Iterable[Stored], events: Iterable[Stored]) -> list[Verdict]:
    """One verdict for each reference that a call, a payment or an event names, by reference."""
    by_reference: dict[str, tuple[list[Call], list[Stored], list[Stored]]] = defaultdict(lambda: ([], [], []))
    for call in calls:
        by_reference[call.reference][0].append(call)
    for payment in payments:
        by_reference[payment.reference][1].append(payment)
    for event in events:
        by_reference[event.reference][2].append(event)
    return [_judge_one(reference, *by_reference[reference]) for reference in sorted(by_reference)]


def _judge_one(reference: str, calls: list[Call], payments: list[Stored], events: list[Stored]) -> Verdict:
    calls.sort(key=lambda call: call.asked_at)
    found = [(Fault.ROW_LOST, f"{call.client} staged it.") for call in calls if call.kind is Kind.LOST]
    found += _judge_events(payments, events)
    created = [call for call in calls if call.kind is Kind.CREATED]
    if len(created) > 1:
        found.append((Fault.CREATED_TWICE, f"{created[0].client} and {created[1].client} were told so."))
    if len(payments) > 1:
        ids = ", ".join(sorted(payment.payment_id for payment in payments))
        found.append((Fault.RECORDED_TWICE, f"The payments are {ids}."))
    elif not payments:
        acknowledged = next((call for call in calls if call.payment_id is not None), None)
        if acknowledged is not None:
            found.append((Fault.ACKNOWLEDGED_AND_LOST, f"{acknowledged.client} was told {acknowledged.payment_id}."))
    else:
        found += _judge_payment(payments[0], calls)
    violations = tuple(Violation(fault, reference, sentence) for fault, sentence in found)
    return Verdict(reference, violations, tuple(calls))


Found = list[tuple[Fault, str]]


def _judge_payment(payment: Stored, calls: Sequence[Call]) -> Found:
    found: Found = []
    # Whoever was told that it created the payment did. Without such a call it was one that never got its answer.
    makers = [call for call in calls if call.kind is Kind.CREATED] or [
        call for call in calls if call.kind is Kind.UNKNOWN and call.content == payment.content
    ]
    if not makers:
        found.append((Fault.FROM_NOTHING, f"Nobody can have made {payment.payment_id} with {payment.content}."))
    for call in calls:
        found += _judge_answer(call, payment)
    first_at = min((call.asked_at for call in makers), default=None)
    for call in calls:
        if call.payment_id is None or call.answered_at is None or first_at is None:
            continue
        if call.answered_at < first_at:
            found.append((Fault.BEFORE_ITS_TIME, f"{call.client} was told {call.payment_id} before it was asked for."))
    return found


def _judge_answer(call: Call, payment: Stored) -> Found:
    found: Found = []
    if call.payment_id is not None and call.payment_id != payment.payment_id:
        found.append((Fault.WRONG_PAYMENT, f"{call.client} was told {call.payment_id}, not {payment.payment_id}."))
    is_same = call.content == payment.content
    if call.kind is Kind.CREATED and not is_same:
        found.append((Fault.WRONG_CONTENT, f"{call.client} brought {call.content}, recorded is {payment.content}."))
    if call.kind is Kind.DUPLICATE and not is_same:
        found.append((Fault.FALSE_DUPLICATE, f"{call.client} brought {call.content}, recorded is {payment.content}."))
    if call.kind is Kind.CONFLICT and is_same:
        found.append((Fault.FALSE_CONFLICT, f"{call.client} brought what is recorded."))
    return found


def _judge_events(payments: Sequence[Stored], events: Sequence[Stored]) -> Found:
    found: Found = []
    announced = Counter(event.payment_id for event in events)
    recorded = {payment.payment_id: payment for payment in payments}
    for payment_id in sorted(recorded.keys() - announced.keys()):
        found.append((Fault.EVENT_MISSING, f"Nothing announces {payment_id}."))
    for payment_id, times in sorted(announced.items()):
        if times > 1:
            found.append((Fault.EVENT_REPEATED, f"{times} events announce {payment_id}."))
    for event in events:
        if event.payment_id not in recorded:
            found.append((Fault.EVENT_FROM_NOTHING, f"An event announces {event.payment_id}, which is not there."))
        elif event != recorded[event.payment_id]:
            found.append((Fault.EVENT_DIFFERS, f"The event of {event.payment_id} says {event.content}."))
    return found


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many references and calls, by what was answered, and how many verdicts are bad."""
    kinds = Counter(call.kind.value for verdict in verdicts for call in verdict.calls)
    told = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    bad = sum(not verdict.is_sound for verdict in verdicts)
    return f"{len(verdicts)} references, {kinds.total()} calls ({told}), {bad} unsound"
