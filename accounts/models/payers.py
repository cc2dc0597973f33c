"""Payment accounts: one per customer, how it pays, why it is locked, and what it is charged differently."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.querysets import AccountFeeQuerySet, AccountLockQuerySet, PaymentAccountQuerySet
from accounts.states import Frequency, LockKind, Method, choices


class PaymentAccount(models.Model):
    """Who pays. Never deleted: it is closed, and what it was charged stays."""

    account_number = models.CharField(max_length=50, unique=True)
    name = models.CharField(max_length=250)
    branch_name = models.CharField(max_length=250, blank=True, default="", db_default="")
    payment_method = models.CharField(max_length=15, choices=choices(Method))
    prepaid_user_id = models.CharField(max_length=50, blank=True, default="", db_default="")
    prepaid_account = models.CharField(max_length=50, blank=True, default="", db_default="")
    billable = models.BooleanField(
        default=True, db_default=True, help_text="Off: its journal vouchers are settled outside, and no file is made."
    )
    eft_enabled = models.BooleanField(default=False, db_default=False)
    journal_restricted = models.BooleanField(
        default=False, db_default=False, help_text="On: no new invoice may be paid by journal voucher."
    )
    journal_gl = models.ForeignKey(
        "catalogue.GLCode",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payment_accounts",
        help_text="A government customer's own general ledger code, which its journal vouchers debit.",
    )
    statement_frequency = models.CharField(
        max_length=10,
        choices=choices(Frequency),
        default=Frequency.WEEKLY.value,
        db_default=Frequency.WEEKLY.value,
    )
    statement_notification_enabled = models.BooleanField(default=False, db_default=False)
    pad_activates_at = models.DateTimeField(null=True, blank=True, help_text="No debit is drawn before.")
    pad_terms_accepted_at = models.DateTimeField(null=True, blank=True)
    pad_terms_accepted_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = PaymentAccountQuerySet.as_manager()

    class Meta:
        db_table = "payment_account"
        verbose_name = "account"
        default_permissions = ("view", "add", "change")
        permissions = [
            ("close_account", "Can close an account"),
            ("set_account_fee", "Can set what an account is charged differently"),
        ]
        constraints = [
            models.CheckConstraint(
                name="payment_account_method_known", condition=Q(payment_method__in=[code.value for code in Method])
            ),
            models.CheckConstraint(
                name="payment_account_frequency_known",
                condition=Q(statement_frequency__in=[code.value for code in Frequency]),
            ),
            models.CheckConstraint(
                name="payment_account_eft_is_monthly",
                condition=~Q(payment_method=Method.EFT.value) | Q(statement_frequency=Frequency.MONTHLY.value),
            ),
            models.CheckConstraint(
                name="payment_account_terms_accepted_by_somebody",
                condition=Q(pad_terms_accepted_at__isnull=True, pad_terms_accepted_by="")
                | (Q(pad_terms_accepted_at__isnull=False) & ~Q(pad_terms_accepted_by="")),
            ),
            models.CheckConstraint(
                name="payment_account_has_number_and_name", condition=~Q(account_number="") & ~Q(name="")
            ),
        ]
        indexes = [
            models.Index(fields=["payment_method", "-id"], name="payment_account_by_method"),
            models.Index(
                fields=["pad_activates_at"],
                name="payment_account_pad_due",
                condition=Q(pad_activates_at__isnull=False, closed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_number} {self.name}"

    @property
    def is_closed(self) -> bool:
        return self.closed_at is not None


class AccountLock(models.Model):
    """A fact: from when to when an account was locked, by whom and why. Never edited; lifting fills the second half."""

    account = models.ForeignKey(PaymentAccount, on_delete=models.PROTECT, related_name="locks")
    kind = models.CharField(max_length=15, choices=choices(LockKind))
    cause = models.TextField()
    invoice_id = models.BigIntegerField(null=True, blank=True, help_text="The invoice that bounced or is overdue.")
    locked_at = models.DateTimeField()
    locked_by = models.CharField(max_length=150)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    lifted_reason = models.TextField(blank=True, default="", db_default="")

    objects = AccountLockQuerySet.as_manager()

    class Meta:
        db_table = "account_lock"
        verbose_name = "lock"
        default_permissions = ("view",)
        permissions = [("lock_account", "Can lock an account"), ("lift_lock", "Can lift the lock of an account")]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind"], name="account_lock_one_live", condition=Q(lifted_at__isnull=True)
            ),
            models.CheckConstraint(
                name="account_lock_kind_known", condition=Q(kind__in=[kind.value for kind in LockKind])
            ),
            models.CheckConstraint(name="account_lock_says_why", condition=~Q(cause="") & ~Q(locked_by="")),
            models.CheckConstraint(
                name="account_lock_lifted_with_reason",
                condition=Q(lifted_at__isnull=True, lifted_by="", lifted_reason="")
                | (Q(lifted_at__isnull=False) & ~Q(lifted_by="") & ~Q(lifted_reason="")),
            ),
        ]
        indexes = [models.Index(fields=["locked_at"], name="account_lock_live", condition=Q(lifted_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.kind} lock of account {self.account_id}"

    @property
    def is_live(self) -> bool:
        return self.lifted_at is None


class AccountFee(models.Model):
    """What one account is charged differently for one product: no filing fees, or another service fee."""

    account = models.ForeignKey(PaymentAccount, on_delete=models.PROTECT, related_name="fees")
    product = models.ForeignKey("catalogue.Product", on_delete=models.PROTECT, related_name="account_fees")
    applies_filing_fees = models.BooleanField(default=True, db_default=True)
    service_fee_code = models.ForeignKey(
        "catalogue.FeeCode", on_delete=models.PROTECT, null=True, blank=True, related_name="account_fees"
    )

    objects = AccountFeeQuerySet.as_manager()

    class Meta:
        db_table = "account_fee"
        verbose_name = "account fee"
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["account", "product"], name="account_fee_one_a_product")]

    def __str__(self) -> str:
        return f"Fees of account {self.account_id} for {self.product_id}"
