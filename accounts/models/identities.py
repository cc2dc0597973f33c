"""Who an account is in the external ledger, and the bank account that money is drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import Exact, GreaterThan

from accounts.models.payers import PaymentAccount
from accounts.querysets import LedgerIdentityQuerySet
from accounts.states import FINAL_IDENTITY_STATUSES, IdentityStatus, Method, choices, may_move
from kernel.errors import Conflict
from kernel.fields import EncryptedTextField

SHOWN_DIGITS = 3
BANK_NUMBER = r"^[0-9]{3,4}$"
BRANCH_NUMBER = r"^[0-9]{5}$"


class IllegalIdentityMove(Conflict):
    """The ledger identity is in a status from which this cannot be done."""

    code = "ledger-identity-not-in-that-status"
    title = "The ledger identity is in another status"


@dataclass(frozen=True, slots=True)
class BankDetails:
    """Bank (3 or 4 digits), branch (5) and account number of a bank account. The number stays out of its repr."""

    bank_number: str
    bank_branch_number: str
    bank_account_number: str = field(repr=False)


class LedgerIdentity(models.Model):
    """One per account and method at a time: other bank details make a new row, and retire the one before.

    The bank account number is encrypted at rest and shown by its last three digits; `reveal_bank_account` is the one
    way to see it whole. The status changes by `_move_to` alone.
    """

    account = models.ForeignKey(PaymentAccount, on_delete=models.PROTECT, related_name="ledger_identities")
    payment_method = models.CharField(max_length=15, choices=choices(Method))
    party = models.CharField(max_length=50, blank=True, default="", db_default="")
    ledger_account = models.CharField(max_length=50, blank=True, default="", db_default="")
    site = models.CharField(max_length=50, blank=True, default="", db_default="")
    payment_instrument_number = models.CharField(max_length=50, blank=True, default="", db_default="")
    contact_party = models.CharField(max_length=50, blank=True, default="", db_default="")
    bank_number = models.CharField(max_length=4, blank=True, default="", db_default="")
    bank_branch_number = models.CharField(max_length=5, blank=True, default="", db_default="")
    bank_account_number = EncryptedTextField(blank=True, default="", db_default="")
    status = models.CharField(
        max_length=25,
        choices=choices(IdentityStatus),
        default=IdentityStatus.PENDING.value,
        db_default=IdentityStatus.PENDING.value,
    )
    status_since = models.DateTimeField(db_default=Now())

    objects = LedgerIdentityQuerySet.as_manager()

    class Meta:
        db_table = "ledger_identity"
        verbose_name = "ledger identity"
        verbose_name_plural = "ledger identities"
        default_permissions = ("view",)
        permissions = [
            ("set_bank_details", "Can set the bank details of an account"),
            ("reveal_bank_account", "Can see a bank account number whole"),
            ("accept_pad_terms", "Can record that an account accepted the terms of pre-authorised debit"),
            ("freeze_identity", "Can freeze and unfreeze a ledger identity"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "payment_method"],
                name="ledger_identity_one_live",
                condition=~Q(status=IdentityStatus.INACTIVE.value),
            ),
            models.CheckConstraint(
                name="ledger_identity_status_known",
                condition=Q(status__in=[status.value for status in IdentityStatus]),
            ),
            models.CheckConstraint(
                name="ledger_identity_bank_details_whole",
                condition=(Q(bank_number="", bank_branch_number="") & Exact(Length("bank_account_number"), 0))
                | (
                    Q(bank_number__regex=BANK_NUMBER, bank_branch_number__regex=BRANCH_NUMBER)
                    & GreaterThan(Length("bank_account_number"), 0)
                ),
            ),
        ]
        indexes = [models.Index(fields=["status", "status_since"], name="ledger_identity_by_status")]

    def __str__(self) -> str:
        return f"{self.payment_method} identity {self.pk} of account {self.account_id}"

    def __repr__(self) -> str:
        return f"<LedgerIdentity {self.pk}: {self.payment_method} {self.status}>"

    @property
    def masked_bank_account(self) -> str:
        """The bank account number with all but its last three digits hidden; empty when there is none."""
        return masked(self.bank_account_number)

    @property
    def is_final(self) -> bool:
        return IdentityStatus(self.status) in FINAL_IDENTITY_STATUSES

    def _move_to(self, target: IdentityStatus, *, at: datetime) -> None:
        """Moves to `target` if the table of moves allows it; the caller holds the row's lock and saves."""
        if not may_move(self.status, target):
            raise IllegalIdentityMove(
                f"Ledger identity {self.pk} is {self.status} and cannot become {target}.", ids=[self.pk]
            )
        self.status = target
        self.status_since = at


def masked(number: str) -> str:
    """Dots for all but the last three characters; a number that short shows nothing at all."""
    hidden = max(len(number) - SHOWN_DIGITS, 0)
    return "•" * hidden + number[hidden:] if hidden else "•" * len(number)
