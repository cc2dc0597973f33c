"""Reads and locks over accounts, what hangs on them, partners, API clients and keys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

from accounts.states import IdentityStatus, Method

if TYPE_CHECKING:
    from accounts.models import (
        AccountFee,
        AccountLock,
        ApiClient,
        ApiKey,
        LedgerIdentity,
        Partner,
        PaymentAccount,
    )


class ApiClientQuerySet(models.QuerySet["ApiClient"]):
    def lock(self, pk: int) -> list[ApiClient]:
        """The row of this key, locked until the unit of work ends; an empty list when there is none."""
        return list(self.filter(pk=pk).select_for_update(of=("self",)))


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def lock(self, pk: int) -> list[ApiKey]:
        """The row of this key with its client, locked until the unit of work ends; an empty list when there is none."""
        return list(self.filter(pk=pk).select_related("client").select_for_update(of=("self",)))

    def usable(self, at: datetime) -> Self:
        """Neither revoked nor expired, of an active client."""
        not_expired = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=at)
        return self.filter(not_expired, revoked_at__isnull=True, client__active=True)


class PaymentAccountQuerySet(models.QuerySet["PaymentAccount"]):
    def lock(self, pks: Iterable[int]) -> list[PaymentAccount]:
        """The rows of these keys in the order of the keys, locked until the unit of work ends."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))

    def open(self) -> Self:
        """Not closed."""
        return self.filter(closed_at__isnull=True)

    def locked_now(self) -> Self:
        """With a lock that nobody has lifted."""
        live = self.model._meta.get_field("locks").related_model._default_manager.filter(lifted_at__isnull=True)
        return self.filter(Exists(live.filter(account_id=OuterRef("pk"))))

    def pad_activation_due(self, at: datetime) -> Self:
        """Open, with a waiting time before the first debit that has passed, and an identity that still waits."""
        return self.open().filter(
            pad_activates_at__lte=at,
            ledger_identities__status=IdentityStatus.PENDING_PAD_ACTIVATION,
            ledger_identities__payment_method=Method.PAD,
        )


class LedgerIdentityQuerySet(models.QuerySet["LedgerIdentity"]):
    def lock(self, pks: Iterable[int]) -> list[LedgerIdentity]:
        """The rows of these keys in the order of the keys, locked until the unit of work ends."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))

    def live(self) -> Self:
        """Not retired: one per account and method."""
        return self.exclude(status=IdentityStatus.INACTIVE)

    def of(self, account_id: int, method: str) -> LedgerIdentity | None:
        """The live identity of the account for the method, or None; its bank account is read only when asked for."""
        return self.live().filter(account_id=account_id, payment_method=method).defer("bank_account_number").first()


class AccountLockQuerySet(models.QuerySet["AccountLock"]):
    def lock(self, pks: Iterable[int]) -> list[AccountLock]:
        """The rows of these keys in the order of the keys, locked until the unit of work ends."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))

    def live(self) -> Self:
        """Not lifted."""
        return self.filter(lifted_at__isnull=True)


class AccountFeeQuerySet(models.QuerySet["AccountFee"]):
    def of(self, account_id: int, product_code: str) -> AccountFee | None:
        """What the account is charged differently for the product, its service fee with it; None for the usual."""
        return self.filter(account_id=account_id, product_id=product_code).select_related("service_fee_code").first()


class PartnerQuerySet(models.QuerySet["Partner"]):
    def lock(self, pks: Iterable[int]) -> list[Partner]:
        """The rows of these keys in the order of the keys, locked until the unit of work ends."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))

    def owning(self, product_codes: Iterable[str]) -> Self:
        """The partners of these products."""
        return self.filter(Q(partner_products__product_id__in=list(product_codes))).distinct()
