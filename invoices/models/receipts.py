"""Money applied to invoices, and money that stands to an account's credit. Facts are reversed, never edited."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from invoices.models.invoices import Invoice
from invoices.querysets import CreditQuerySet, ReceiptQuerySet
from invoices.states import CreditKind, ReceiptSource
from kernel.fields import MoneyField

ZERO = Decimal("0.00")


class Receipt(models.Model):
    """An allocation: this much of somebody's money pays this invoice. Append-only; `reverses` takes one back whole."""

    id = models.BigAutoField(primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="receipts")
    receipt_number = models.CharField(max_length=50)
    amount = MoneyField()
    # What came with it above what the invoice could take, and became a credit.
    excess = MoneyField(default=ZERO, db_default=ZERO)
    currency = models.CharField(max_length=3, default="CAD")
    receipt_date = models.DateTimeField()
    source = models.CharField(max_length=12, choices=[(source.value, source.value) for source in ReceiptSource])
    # The payment that brought the money, where one was recorded: payments are evidence of their own.
    payment_id = models.UUIDField(null=True, blank=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversed_by")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)

    objects = ReceiptQuerySet.as_manager()

    class Meta:
        db_table = "receipt"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(name="receipt_amount_not_negative", condition=Q(amount__gte=0)),
            models.CheckConstraint(name="receipt_excess_not_negative", condition=Q(excess__gte=0)),
            # The same evidence applied twice to one invoice is the same allocation.
            models.UniqueConstraint(
                name="receipt_once", fields=["invoice", "source", "receipt_number"], condition=Q(reverses__isnull=True)
            ),
        ]
        indexes = [models.Index(fields=["receipt_number"], name="receipt_number")]

    def __str__(self) -> str:
        return self.receipt_number


class Credit(models.Model):
    """Money that we owe an account, to be applied to its later invoices. `applied_amount` is what was, and only grows
    or shrinks with its applications."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey("accounts.PaymentAccount", on_delete=models.PROTECT, related_name="credits")
    # Credits of one method pay invoices of that method only (domain.md 1.1: one balance per channel).
    payment_method = models.CharField(max_length=15)
    kind = models.CharField(max_length=12, choices=[(kind.value, kind.value) for kind in CreditKind])
    amount = MoneyField()
    applied_amount = MoneyField(default=ZERO)
    currency = models.CharField(max_length=3, default="CAD")
    # The ledger's number of the memo or receipt, once it is known there.
    ledger_identifier = models.CharField(max_length=50, blank=True, default="", db_index=True)
    ledger_site = models.CharField(max_length=50, blank=True, default="")
    source_invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="credits")
    # The receipt whose money was too much; empty of a memo.
    receipt = models.OneToOneField(Receipt, on_delete=models.PROTECT, null=True, blank=True, related_name="credit")
    details = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()

    objects = CreditQuerySet.as_manager()

    class Meta:
        db_table = "credit"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(name="credit_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="credit_applied_within_amount",
                condition=Q(applied_amount__gte=0) & Q(applied_amount__lte=F("amount")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "payment_method", "id"],
                name="credit_with_money_left",
                condition=Q(applied_amount__lt=F("amount")),
            )
        ]

    def __str__(self) -> str:
        return f"Credit {self.pk}"

    @property
    def remaining(self) -> Decimal:
        return self.amount - self.applied_amount


class CreditApplication(models.Model):
    """A part of a credit that pays an invoice, by way of a receipt. Append-only; taken back by `reverses`."""

    id = models.BigAutoField(primary_key=True)
    credit = models.ForeignKey(Credit, on_delete=models.PROTECT, related_name="applications")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_applications")
    receipt = models.OneToOneField(Receipt, on_delete=models.PROTECT, related_name="credit_application")
    amount = MoneyField()
    # The ledger's id of the application, by which it is applied once; empty until the ledger has it.
    application_id = models.CharField(max_length=50, blank=True, default="")
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversed_by")
    applied_at = models.DateTimeField()
    applied_by = models.CharField(max_length=150)

    class Meta:
        db_table = "credit_application"
        verbose_name = "application of a credit"
        verbose_name_plural = "applications of credits"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(name="credit_application_amount_positive", condition=Q(amount__gt=0)),
            models.UniqueConstraint(
                name="credit_application_once",
                fields=["application_id", "invoice"],
                condition=~Q(application_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of credit {self.credit_id}"
