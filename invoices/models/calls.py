"""What is said to the card gateway and the prepaid mainframe: committed before it is said, so that nothing is lost."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from invoices.models.invoices import Invoice
from invoices.models.refunds import Refund
from invoices.querysets import CardAttemptQuerySet, OutsideCallQuerySet
from invoices.states import ATTEMPT_MOVES, CALL_MOVES, AttemptStatus, CallKind, CallStatus
from kernel.errors import Conflict
from kernel.fields import MoneyField


class IllegalAttemptMove(Conflict):
    """The card payment is in a status from which this cannot be done."""

    code = "card-attempt-not-in-that-status"
    title = "The card payment has moved on"


class IllegalCallMove(Conflict):
    """The call to the outside is in a status from which this cannot be done."""

    code = "outside-call-not-in-that-status"
    title = "The call has moved on"


class CardAttempt(models.Model):
    """One visit of the payer to the card gateway's page. At most one is open; opening another cancels it."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="card_attempts")
    status = models.CharField(max_length=10, choices=[(status.value, status.value) for status in AttemptStatus])
    status_since = models.DateTimeField()
    amount = MoneyField()
    # Where the payer goes back to when all is done: the partner's page.
    client_url = models.CharField(max_length=500)
    pay_url = models.CharField(max_length=2000)
    response = models.CharField(max_length=2000, blank=True, default="")
    reason_code = models.CharField(max_length=50, blank=True, default="")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)

    objects = CardAttemptQuerySet.as_manager()

    class Meta:
        db_table = "card_attempt"
        verbose_name = "card payment"
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(name="card_attempt_one_open", fields=["invoice"], condition=Q(status="CREATED")),
            models.CheckConstraint(name="card_attempt_amount_positive", condition=Q(amount__gt=0)),
        ]
        indexes = [
            models.Index(fields=["started_at"], name="card_attempt_open", condition=Q(status="CREATED")),
            models.Index(fields=["-started_at"], name="card_attempt_started"),
        ]

    def __str__(self) -> str:
        return f"Card payment {str(self.pk)[:8]}"

    def _move_to(self, target: AttemptStatus, *, at: datetime) -> None:
        """Moves to `target` when ATTEMPT_MOVES allows it; the caller holds the invoice's lock and saves."""
        if target not in ATTEMPT_MOVES[AttemptStatus(self.status)]:
            raise IllegalAttemptMove(f"{self} is {self.status} and cannot become {target}.", ids=[str(self.pk)])
        self.status = target.value
        self.status_since = at


class OutsideCall(models.Model):
    """One writing call. Its id is the key by which the other side does it once, however often it is said."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in CallKind])
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="outside_calls")
    refund = models.OneToOneField(Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="outside_call")
    status = models.CharField(max_length=10, choices=[(status.value, status.value) for status in CallStatus])
    status_since = models.DateTimeField()
    request = models.JSONField(encoder=DjangoJSONEncoder)
    answer = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    # What the other side said when it refused, or why its answer could not be used.
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_detail = models.CharField(max_length=500, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    created_at = models.DateTimeField()

    objects = OutsideCallQuerySet.as_manager()

    class Meta:
        db_table = "outside_call"
        verbose_name = "call to the outside"
        verbose_name_plural = "calls to the outside"
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                name="outside_call_one_debit", fields=["invoice"], condition=Q(kind="PREPAID_DEBIT")
            ),
            models.CheckConstraint(
                name="outside_call_refund_named", condition=~Q(kind="CARD_REFUND") | Q(refund__isnull=False)
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="outside_call_due",
                condition=Q(status__in=["PENDING", "SENT", "UNKNOWN"]),
            ),
            models.Index(fields=["-created_at"], name="outside_call_made"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[:8]}"

    def _move_to(self, target: CallStatus, *, at: datetime) -> None:
        """Moves to `target` when CALL_MOVES allows it; the caller holds the row's lock and saves."""
        if target not in CALL_MOVES[CallStatus(self.status)]:
            raise IllegalCallMove(f"{self} is {self.status} and cannot become {target}.", ids=[str(self.pk)])
        self.status = target.value
        self.status_since = at
