"""Money that goes back: asked for, agreed to by a second person where the product wants it, and what came of it."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from invoices.models.invoices import Invoice, InvoiceLine
from invoices.models.receipts import Credit
from invoices.querysets import RefundQuerySet
from invoices.states import REFUND_MOVES, FeeType, RefundOutcome, RefundStatus
from kernel.errors import Conflict
from kernel.fields import MoneyField


class IllegalRefundMove(Conflict):
    """The refund is in a status from which this cannot be done."""

    code = "refund-not-in-that-status"
    title = "The refund has moved on"
    next_step = "Read the refund again: its status says what became of it."


class Refund(models.Model):
    """One request to give back all that is left of an invoice (`is_full`) or parts of it; there may be several."""

    id = models.BigAutoField(primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="refunds")
    is_full = models.BooleanField()
    amount = MoneyField()
    currency = models.CharField(max_length=3, default="CAD")
    outcome = models.CharField(max_length=10, choices=[(outcome.value, outcome.value) for outcome in RefundOutcome])
    status = models.CharField(max_length=16, choices=[(status.value, status.value) for status in RefundStatus])
    status_since = models.DateTimeField()
    reason = models.CharField(max_length=250)
    staff_comment = models.CharField(max_length=1000, blank=True, default="")
    notification_email = models.CharField(max_length=254, blank=True, default="")
    # Who asked and who decided are an actor's kind and name: an API client may be called as somebody of the staff is.
    requested_by_kind = models.CharField(max_length=10, blank=True, default="", db_default="")
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    needs_approval = models.BooleanField()
    approval = models.OneToOneField(
        "approvals.ApprovalRequest", on_delete=models.PROTECT, null=True, blank=True, related_name="refund"
    )
    # Written once, by the decision.
    decided_by_kind = models.CharField(max_length=10, blank=True, default="", db_default="")
    decided_by = models.CharField(max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    decline_reason = models.CharField(max_length=1000, blank=True, default="")
    # Of the gateway's confirmation, the voucher, the cheque: what proves that it is done.
    evidence = models.CharField(max_length=200, blank=True, default="")
    finished_at = models.DateTimeField(null=True, blank=True)
    gl_posted_at = models.DateTimeField(null=True, blank=True)
    gl_error = models.CharField(max_length=250, blank=True, default="")
    credit = models.OneToOneField(Credit, on_delete=models.PROTECT, null=True, blank=True, related_name="refund")

    objects = RefundQuerySet.as_manager()

    class Meta:
        db_table = "refund"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(name="refund_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="refund_status_known", condition=Q(status__in=[status.value for status in RefundStatus])
            ),
            models.CheckConstraint(
                name="refund_two_people",
                condition=Q(decided_by="")
                | ~Q(decided_by=F("requested_by"))
                | ~Q(decided_by_kind=F("requested_by_kind")),
            ),
            models.CheckConstraint(
                name="refund_approved_before_processed",
                condition=Q(needs_approval=False)
                | Q(status=RefundStatus.PENDING_APPROVAL)
                | (Q(decided_at__isnull=False) & ~Q(decided_by="")),
            ),
        ]
        indexes = [
            models.Index(fields=["-requested_at", "-id"], name="refund_requested"),
            models.Index(
                fields=["status", "requested_at"],
                name="refund_under_way",
                condition=Q(status__in=["PENDING_APPROVAL", "PROCESSING"]),
            ),
        ]

    def __str__(self) -> str:
        return f"Refund {self.pk} of invoice {self.invoice_id}"

    def _move_to(self, target: RefundStatus, *, at: datetime) -> None:
        """Moves to `target` when REFUND_MOVES allows it; the caller holds the invoice's lock and saves."""
        source = RefundStatus(self.status)
        if target not in REFUND_MOVES[source]:
            raise IllegalRefundMove(
                f"Refund {self.pk} is {source} and cannot become {target}.", ids=[self.pk], status=source.value
            )
        self.status = target.value
        self.status_since = at


class RefundLine(models.Model):
    """How much of one part of one line goes back."""

    id = models.BigAutoField(primary_key=True)
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="refund_lines")
    fee_type = models.CharField(max_length=22, choices=[(fee_type.value, fee_type.value) for fee_type in FeeType])
    amount = MoneyField()

    class Meta:
        db_table = "refund_line"
        verbose_name = "refund line"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(name="refund_line_amount_positive", condition=Q(amount__gt=0)),
            models.UniqueConstraint(name="refund_line_once", fields=["refund", "line", "fee_type"]),
        ]

    def __str__(self) -> str:
        return f"{self.fee_type} {self.amount}"
