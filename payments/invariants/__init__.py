"""The invariants of payments, by name."""

from __future__ import annotations

from kernel.invariants.registry import Invariant, register
from payments.invariants import events, references, staging, storage

INVARIANTS = (
    Invariant(
        "months-prepared",
        "Last month, this month and PARTITION_MONTHS_AHEAD more have their partition.",
        storage.months_are_prepared,
        is_quick=True,
    ),
    Invariant(
        "default-partition-empty",
        "No payment lies outside the partition of its month.",
        storage.default_partition_is_empty,
        is_quick=True,
    ),
    Invariant(
        "recent-payments-complete",
        "Every payment of the last 15 minutes has its reference and its event.",
        events.recent_payments_are_complete,
        is_quick=True,
    ),
    Invariant(
        "payments-match-references",
        "Every payment has exactly one reference, and every reference its payment, attached or archived.",
        references.payments_match_references,
    ),
    Invariant(
        "references-unique",
        "No reference number stands in two tables of references, and none on two payments.",
        references.references_are_unique,
    ),
    Invariant(
        "archives-match-references",
        "Every archived month holds as many payments as references point into it.",
        references.archives_match_references,
    ),
    Invariant(
        "payments-match-events",
        "Every payment has exactly one event with the same content, and every event its payment.",
        events.payments_match_events,
    ),
    Invariant(
        "staging-batches-add-up",
        "Every batch of staged rows counts what it recorded, found known, found in conflict and rejected.",
        staging.batches_add_up,
    ),
    Invariant(
        "staged-rows-accounted",
        "Every staged row that is marked has exactly one outcome.",
        staging.staged_rows_are_accounted_for,
    ),
    Invariant(
        "receipts-have-payments",
        "Every webhook that was answered with 'created' has its payment, attached or archived.",
        storage.receipts_point_at_payments,
    ),
)

for invariant in INVARIANTS:
    register(invariant)
