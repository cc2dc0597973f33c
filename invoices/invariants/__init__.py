"""The invariants of invoices, by name."""

from __future__ import annotations

from invoices.invariants import patience, shares, statuses, sums
from kernel.invariants.registry import Invariant, register

INVARIANTS = (
    Invariant(
        "invoice-status-implied",
        "Every invoice has the status that its sums and evidence imply, and a payment date when, and only while, it "
        "is paid.",
        statuses.statuses_follow_facts,
    ),
    Invariant(
        "invoice-paid-by-receipts",
        "What every invoice says is paid is the sum of its live receipts; a reversal is of the same amount.",
        sums.paid_is_what_receipts_say,
    ),
    Invariant(
        "invoice-refunds-add-up",
        "What every invoice says is refunded, credited, refunded outside and under way is the sum of its refunds, and "
        "every refund the sum of its lines.",
        sums.refunded_is_what_refunds_say,
    ),
    Invariant(
        "invoice-parts-held",
        "What every part of a line holds for refunds is what its live refunds take of it.",
        sums.held_is_what_refunds_take,
    ),
    Invariant(
        "invoice-totals-add-up",
        "Every invoice's total, service fees and GST are the sums of its lines.",
        sums.totals_are_their_lines,
    ),
    Invariant(
        "credits-add-up",
        "What is applied of every credit is the sum of its live applications; every credit comes from money that was "
        "too much or from a refund, and of the same amount.",
        sums.credits_add_up,
    ),
    Invariant(
        "service-fee-ours",
        "No service fee is booked to where a partner is paid from, and no invoice charges it twice.",
        shares.service_fees_stay_ours,
    ),
    Invariant(
        "invoice-number-active-once",
        "An invoice has one ACTIVE number at most, and none once it is paid, cancelled or deleted.",
        statuses.numbers_are_active_once,
    ),
    Invariant(
        "outside-calls-known",
        "What became of every call to the outside is known within an hour for a debit, a day for a refund.",
        patience.calls_are_not_forgotten,
        is_quick=True,
    ),
)

for invariant in INVARIANTS:
    register(invariant)
