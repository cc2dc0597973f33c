"""Reads and locks over accounts, what hangs on them, partners, API clients and keys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Prefetch, Q

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

    def hold(self, pks: Iterable[int]) -> list[PaymentAccount]:
        """As they are now; until the unit of work ends nobody locks or closes them, while others may hold them too."""
        sql = f"select * from {self.model._meta.db_table} where id = any(%s) order by id for key share"  # noqa: S608
        return list(self.raw(sql, [list(pks)]))

    def open(self) -> Self:
        """Not closed."""
        return self.filter(closed_at__isnull=True)

    def locked_now(self, kind: str | None = None) -> Self:
        """With a lock that nobody has lifted; of one kind, when it is given."""
        return self.filter(self._live_lock(kind))

    def not_locked(self) -> Self:
        """Without any such lock."""
        return self.filter(~self._live_lock(None))

    def with_state(self) -> Self:
        """Each with its live locks (`live_locks`) and live identities (`live_identities`), bank accounts not read."""
        locks = self._related("locks").filter(lifted_at__isnull=True).order_by("locked_at")
        identities = self._related("ledger_identities").exclude(status=IdentityStatus.INACTIVE)
        return self.prefetch_related(
            Prefetch("locks", queryset=locks, to_attr="live_locks"),
            Prefetch("ledger_identities", queryset=identities.defer("bank_account_number"), to_attr="live_identities"),
        )

    def pad_activation_due(self, at: datetime) -> Self:
        """Open, with a waiting time before the first debit that has passed, and an identity that still waits."""
        return self.open().filter(
            pad_activates_at__lte=at,
            ledger_identities__status=IdentityStatus.PENDING_PAD_ACTIVATION,
            ledger_identities__payment_method=Method.PAD,
        )

    def _live_lock(self, kind: str | None) -> Exists:
        live = self._related("locks").filter(lifted_at__isnull=True, account_id=OuterRef("pk"))
        return Exists(live if kind is None else live.filter(kind=kind))

    def _related(self, name: str) -> models.QuerySet[Any]:
        related: Any = self.model._meta.get_field(name).related_model
        return related._default_manager.all()


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
