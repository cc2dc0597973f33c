"""What belongs to one invoice, read once for one page, and what of it waits for somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from invoices.models import CardAttempt, Credit, CreditApplication, Invoice, OutsideCall, Refund
from invoices.states import UNFINISHED_CALLS, AttemptStatus, RefundStatus
from kernel.adminsite import record_link
from kernel.approvals.models import ApprovalRequest
from kernel.audit.querysets import Subject

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Belongings:
    """The latest first, at most a hundred of each."""

    refunds: Sequence[Refund]
    credits: Sequence[Credit]
    applications: Sequence[CreditApplication]
    attempts: Sequence[CardAttempt]
    calls: Sequence[OutsideCall]

    @property
    def subjects(self) -> list[Subject]:
        """Whose audit entries belong to the invoice's story."""
        asked = [refund.approval_id for refund in self.refunds if refund.approval_id is not None]
        label = ApprovalRequest._meta.label_lower
        return [*self.refunds, *self.credits, *((label, str(approval_id)) for approval_id in asked)]

    @property
    def open_ends(self) -> list[tuple[Any, str]]:
        """What waits for somebody: a link to it, and what it waits for."""
        ends: list[tuple[Any, str]] = []
        for refund in self.refunds:
            amount = f"{refund.amount} {refund.currency}"
            if refund.status == RefundStatus.PENDING_APPROVAL:
                link = record_link(ApprovalRequest, refund.approval_id, f"Refund {refund.pk}")
                ends.append((link, f"{amount} wait for a second person to agree."))
            elif refund.status == RefundStatus.PROCESSING:
                link = record_link(Refund, refund.pk, f"Refund {refund.pk}")
                ends.append((link, f"{amount} are on their way back; nobody has confirmed it yet."))
        for call in self.calls:
            if call.status in UNFINISHED_CALLS:
                link = record_link(OutsideCall, call.pk, "Call to the outside")
                ends.append((link, "What became of it is not known yet."))
        for attempt in self.attempts:
            if attempt.status == AttemptStatus.CREATED:
                link = record_link(CardAttempt, attempt.pk, str(attempt))
                ends.append((link, "The payer has the card page open; the gateway says later whether they paid."))
        return ends


def belongings_of(invoice: Invoice) -> Belongings:
    """Stays with the record that was read for the page, so that its parts ask once."""
    found: Belongings | None = vars(invoice).get("_belongings")
    if found is None:
        found = Belongings(
            refunds=list(invoice.refunds.order_by("-pk")[:SHOWN]),
            credits=list(invoice.credits.order_by("-pk")[:SHOWN]),
            applications=list(invoice.credit_applications.order_by("-pk")[:SHOWN]),
            attempts=list(invoice.card_attempts.order_by("-started_at")[:SHOWN]),
            calls=list(invoice.outside_calls.order_by("-created_at")[:SHOWN]),
        )
        vars(invoice)["_belongings"] = found
    return found
