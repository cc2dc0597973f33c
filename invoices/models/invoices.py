"""The invoice, its lines, and its numbers in the external ledger."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from invoices.balances import Facts, implied_status
from invoices.methods.registry import find_method
from invoices.querysets import InvoiceLineQuerySet, InvoiceQuerySet, InvoiceReferenceQuerySet
from invoices.states import FeeType, InvoiceStatus, LineStatus, ReferenceStatus
from kernel.errors import Conflict
from kernel.fields import MoneyField

ZERO = Decimal("0.00")
FEE_COLUMNS: dict[FeeType, str] = {
    FeeType.BASE_FEES: "base_fees",
    FeeType.PRIORITY_FEES: "priority_fees",
    FeeType.FUTURE_EFFECTIVE_FEES: "future_effective_fees",
    FeeType.SERVICE_FEES: "service_fees",
    FeeType.STATUTORY_GST: "statutory_gst",
    FeeType.SERVICE_GST: "service_gst",
}


class IllegalInvoiceMove(Conflict):
    """The invoice is in a status from which this cannot be done."""

    code = "invoice-not-in-that-status"
    title = "The invoice has moved on"
    next_step = "Read the invoice again: allowedActions says what can be done now."


class Invoice(models.Model):
    """What one account owes for one product's filings. Its status and sums are derived; only operations write them.

    `paid_amount` is the sum of the live receipts; `refunded_amount`, `credited_amount` and `manual_amount` are what
    processed refunds gave back the way it came, as credit and outside; `pending_amount` is what is being given back.
    The `*_at` of the evidence say since when something is so, and are empty while it is not.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey("accounts.PaymentAccount", on_delete=models.PROTECT, related_name="invoices")
    ledger_identity = models.ForeignKey("accounts.LedgerIdentity", on_delete=models.PROTECT, null=True, blank=True)
    product = models.ForeignKey("catalogue.Product", on_delete=models.PROTECT, db_index=False)
    payment_method = models.CharField(max_length=15)
    status = models.CharField(max_length=20, choices=[(status.value, status.value) for status in InvoiceStatus])
    status_since = models.DateTimeField()
    business_identifier = models.CharField(max_length=20, blank=True, default="")
    filing_id = models.CharField(max_length=50, blank=True, default="")
    folio_number = models.CharField(max_length=50, blank=True, default="")
    dat_number = models.CharField(max_length=50, blank=True, default="")
    prepaid_account = models.CharField(max_length=50, blank=True, default="")
    routing_slip = models.CharField(max_length=50, blank=True, default="")
    # What the partner wants printed on the receipt: a list of {label, value}.
    details = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    currency = models.CharField(max_length=3, default="CAD")
    total = MoneyField()
    service_fees = MoneyField(default=ZERO)
    gst = MoneyField(default=ZERO)
    paid_amount = MoneyField(default=ZERO)
    refunded_amount = MoneyField(default=ZERO)
    credited_amount = MoneyField(default=ZERO)
    manual_amount = MoneyField(default=ZERO)
    pending_amount = MoneyField(default=ZERO)
    # The moments at which we learned that it was final (domain.md 2.4).
    payment_date = models.DateTimeField(null=True, blank=True)
    refund_date = models.DateTimeField(null=True, blank=True)
    overdue_date = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)
    abandoned_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    overdue_at = models.DateTimeField(null=True, blank=True)
    charged_back_at = models.DateTimeField(null=True, blank=True)
    gl_changed_at = models.DateTimeField(null=True, blank=True)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    # Who asked for it, as text: an API client's slug or a member of staff.
    created_by = models.CharField(max_length=150)
    # The partner's own key for what is charged; the same key of one creator is the same invoice.
    business_key = models.CharField(max_length=100, blank=True, default="")

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        db_table = "invoice"
        default_permissions = ("view",)
        permissions = [
            ("cancel_invoice", "Can cancel an invoice"),
            ("request_refund", "Can ask for a refund"),
            ("approve_refund", "Can approve or decline a refund"),
            ("record_manual_refund", "Can record a refund made outside"),
            ("apply_credit", "Can apply a credit to an invoice"),
            ("record_chargeback", "Can record a chargeback"),
            ("convert_invoice", "Can change the method of an unpaid invoice"),
            ("export_invoices", "Can export invoices"),
            ("confirm_refund", "Can record that the outside confirmed or refused a refund"),
            ("ask_outside", "Can ask the gateways what became of a payment"),
        ]
        constraints = [
            models.CheckConstraint(
                name="invoice_status_known", condition=Q(status__in=[status.value for status in InvoiceStatus])
            ),
            models.CheckConstraint(
                name="invoice_amounts_not_negative",
                condition=Q(total__gte=0)
                & Q(service_fees__gte=0)
                & Q(gst__gte=0)
                & Q(paid_amount__gte=0)
                & Q(refunded_amount__gte=0)
                & Q(credited_amount__gte=0)
                & Q(manual_amount__gte=0)
                & Q(pending_amount__gte=0),
            ),
            models.CheckConstraint(name="invoice_paid_within_total", condition=Q(paid_amount__lte=F("total"))),
            models.CheckConstraint(
                name="invoice_undone_within_total",
                condition=Q(
                    total__gte=F("refunded_amount") + F("credited_amount") + F("manual_amount") + F("pending_amount")
                ),
            ),
            models.CheckConstraint(
                name="invoice_paid_has_date",
                condition=~Q(status="PAID") | (Q(payment_date__isnull=False) & Q(paid_amount=F("total"))),
            ),
            models.CheckConstraint(
                name="invoice_unpaid_has_no_date",
                condition=~Q(status__in=["CREATED", "APPROVED", "SETTLEMENT_SCHED", "PARTIAL_PAID", "OVERDUE"])
                | Q(payment_date__isnull=True),
            ),
            models.UniqueConstraint(
                name="invoice_business_key", fields=["created_by", "business_key"], condition=~Q(business_key="")
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-created_at", "-id"], name="invoice_account_created"),
            models.Index(fields=["status", "-created_at", "-id"], name="invoice_status_created"),
            models.Index(fields=["product", "-created_at", "-id"], name="invoice_product_created"),
            models.Index(fields=["payment_method", "-created_at", "-id"], name="invoice_method_created"),
            models.Index(fields=["-created_at", "-id"], name="invoice_created"),
            models.Index(
                fields=["business_identifier", "-created_at"],
                name="invoice_business_identifier",
                condition=~Q(business_identifier=""),
            ),
            models.Index(fields=["folio_number", "-created_at"], name="invoice_folio", condition=~Q(folio_number="")),
            models.Index(fields=["total", "-created_at"], name="invoice_total"),
            # What is stuck is found without reading a row (performance.md R1); the query repeats the status literally.
            models.Index(
                fields=["created_at"],
                include=["payment_method", "id"],
                name="invoice_stale",
                condition=Q(status="APPROVED"),
            ),
            models.Index(
                fields=["overdue_date"],
                name="invoice_due",
                condition=Q(payment_method="EFT", status__in=["APPROVED", "PARTIAL_PAID"]),
            ),
        ]

    def __str__(self) -> str:
        return f"Invoice {self.pk}"

    @property
    def facts(self) -> Facts:
        """What the row says, for the pure functions of balances.py."""
        method = find_method(self.payment_method)
        return Facts(
            first_status=method.first_status,
            total=self.total,
            paid=self.paid_amount,
            refunded=self.refunded_amount,
            credited=self.credited_amount,
            manual=self.manual_amount,
            pending=self.pending_amount,
            is_settled=self.payment_date is not None,
            is_cancelled=self.cancelled_at is not None,
            is_abandoned=self.abandoned_at is not None,
            is_deleted=self.deleted_at is not None,
            is_bounced=self.bounced_at is not None,
            is_overdue=self.overdue_at is not None,
            is_charged_back=self.charged_back_at is not None,
            is_gl_changed=self.gl_changed_at is not None,
            is_scheduled=self.scheduled_at is not None,
        )

    @property
    def owing(self) -> Decimal:
        return self.facts.owing

    def _move_to(self, target: InvoiceStatus, *, at: datetime) -> None:
        """Moves to `target` when the method's table allows it; the caller holds the row's lock and saves."""
        source = InvoiceStatus(self.status)
        if source == target:
            return
        if not find_method(self.payment_method).may_move(source, target):
            raise IllegalInvoiceMove(
                f"Invoice {self.pk} ({self.payment_method}) is {source} and cannot become {target}.",
                ids=[self.pk],
                invoice_status=source.value,
                method=self.payment_method,
            )
        self.status = target.value
        self.status_since = at

    def _follow_facts(self, *, at: datetime) -> InvoiceStatus:
        """Moves to what the facts imply and gives it. Raises IllegalInvoiceMove."""
        target = implied_status(self.facts)
        self._move_to(target, at=at)
        return target


def _at_least_zero(*columns: str) -> Q:
    condition = Q()
    for column in columns:
        condition &= Q(**{f"{column}__gte": 0})
    return condition


class InvoiceLine(models.Model):
    """One filing that is charged. The GL codes are those of the day on which it was made, as text: later changes of a
    GL code do not reach it. The `undone_*` are what live refunds hold of each part."""

    id = models.BigAutoField(primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    fee_schedule = models.ForeignKey("catalogue.FeeSchedule", on_delete=models.PROTECT)
    filing_type = models.ForeignKey("catalogue.FilingType", on_delete=models.PROTECT, db_index=False)
    description = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField(default=1)
    base_fees = MoneyField(default=ZERO)
    priority_fees = MoneyField(default=ZERO)
    future_effective_fees = MoneyField(default=ZERO)
    total = MoneyField()
    service_fees = MoneyField(default=ZERO)
    statutory_gst = MoneyField(default=ZERO)
    service_gst = MoneyField(default=ZERO)
    pst = MoneyField(default=ZERO)
    waived_fees = MoneyField(default=ZERO)
    waived_by = models.CharField(max_length=150, blank=True, default="")
    status = models.CharField(max_length=10, choices=[(status.value, status.value) for status in LineStatus])
    # Empty where nothing is charged.
    gl_code = models.ForeignKey("catalogue.GLCode", on_delete=models.PROTECT, null=True, blank=True)
    fee_gl = models.CharField(max_length=50, blank=True, default="")
    service_fee_gl = models.CharField(max_length=50, blank=True, default="")
    statutory_gst_gl = models.CharField(max_length=50, blank=True, default="")
    service_gst_gl = models.CharField(max_length=50, blank=True, default="")
    undone_base_fees = MoneyField(default=ZERO)
    undone_priority_fees = MoneyField(default=ZERO)
    undone_future_effective_fees = MoneyField(default=ZERO)
    undone_service_fees = MoneyField(default=ZERO)
    undone_statutory_gst = MoneyField(default=ZERO)
    undone_service_gst = MoneyField(default=ZERO)

    objects = InvoiceLineQuerySet.as_manager()

    class Meta:
        db_table = "invoice_line"
        verbose_name = "invoice line"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="invoice_line_amounts_not_negative",
                condition=_at_least_zero(*FEE_COLUMNS.values(), "total", "pst", "waived_fees"),
            ),
            models.CheckConstraint(
                name="invoice_line_total_is_sum",
                condition=Q(total=F("base_fees") + F("priority_fees") + F("future_effective_fees")),
            ),
            models.CheckConstraint(name="invoice_line_quantity", condition=Q(quantity__gte=1)),
            models.CheckConstraint(
                name="invoice_line_gl_when_charged", condition=Q(total=0) | (Q(gl_code__isnull=False) & ~Q(fee_gl=""))
            ),
            *(
                models.CheckConstraint(
                    name=f"invoice_line_undone_{fee_type.value.lower()}",
                    condition=Q(**{f"undone_{column}__gte": 0}) & Q(**{f"undone_{column}__lte": F(column)}),
                )
                for fee_type, column in FEE_COLUMNS.items()
            ),
        ]

    def __str__(self) -> str:
        return self.description

    @property
    def charged(self) -> Decimal:
        """All that the line adds to the invoice's total."""
        return self.total + self.service_fees + self.statutory_gst + self.service_gst

    def fee(self, fee_type: FeeType) -> Decimal:
        amount: Decimal = getattr(self, FEE_COLUMNS[fee_type])
        return amount

    def undone(self, fee_type: FeeType) -> Decimal:
        """What live refunds hold of this part, those that wait for approval too."""
        amount: Decimal = getattr(self, f"undone_{FEE_COLUMNS[fee_type]}")
        return amount

    def refundable(self, fee_type: FeeType) -> Decimal:
        return self.fee(fee_type) - self.undone(fee_type)

    def _hold(self, fee_type: FeeType, amount: Decimal) -> None:
        """Adds to what is held of a part (takes off when negative); the caller holds the invoice's lock and saves."""
        column: Any = f"undone_{FEE_COLUMNS[fee_type]}"
        setattr(self, column, self.undone(fee_type) + amount)


class InvoiceReference(models.Model):
    """The invoice's number in the external ledger. Several invoices may share one number (a night's debit)."""

    id = models.BigAutoField(primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="references")
    invoice_number = models.CharField(max_length=50, db_index=True)
    # The card gateway's own number.
    reference_number = models.CharField(max_length=50, blank=True, default="")
    status = models.CharField(max_length=10, choices=[(status.value, status.value) for status in ReferenceStatus])
    is_consolidated = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    status_since = models.DateTimeField()

    objects = InvoiceReferenceQuerySet.as_manager()

    class Meta:
        db_table = "invoice_reference"
        verbose_name = "invoice reference"
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                name="invoice_reference_one_active", fields=["invoice"], condition=Q(status="ACTIVE")
            ),
            models.CheckConstraint(
                name="invoice_reference_status_known",
                condition=Q(status__in=[status.value for status in ReferenceStatus]),
            ),
        ]

    def __str__(self) -> str:
        return self.invoice_number
