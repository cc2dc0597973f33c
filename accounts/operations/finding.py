"""Rows of accounts, found and locked for a change. Whoever changes something of an account locks the account first."""

from __future__ import annotations

from typing import Any

from django.db import models

from accounts.models import LedgerIdentity, PaymentAccount
from kernel.errors import Conflict, FieldError, NotFound, Refused
from kernel.transactions import inside_unit_of_work


class NoSuchAccount(NotFound):
    """There is no such account."""

    code = "unknown-account"


class AccountClosed(Conflict):
    """The account is closed."""

    code = "account-closed"
    title = "The account is closed"
    next_step = "Use another account: a closed one is not opened again."


class ReferenceUnknown(Refused):
    """What the account should refer to does not exist."""

    code = "account-reference-unknown"


@inside_unit_of_work
def locked_account(account_id: int) -> PaymentAccount:
    """Raises NoSuchAccount."""
    accounts = PaymentAccount.objects.lock([account_id])
    if not accounts:
        raise NoSuchAccount(f"There is no account {account_id}.")
    return accounts[0]


@inside_unit_of_work
def locked_open_account(account_id: int) -> PaymentAccount:
    """Raises NoSuchAccount or AccountClosed."""
    account = locked_account(account_id)
    if account.is_closed:
        raise AccountClosed(f"Account {account.account_number} is closed.", ids=[account.pk])
    return account


@inside_unit_of_work
def held_account(account_id: int) -> PaymentAccount:
    """The account as it is now, which stays open and as locked as it is until the unit of work ends; for who orders.

    Many may hold it at once, and whoever locks it waits for them. Raises NoSuchAccount.
    """
    accounts = PaymentAccount.objects.hold([account_id])
    if not accounts:
        raise NoSuchAccount(f"There is no account {account_id}.")
    return accounts[0]


@inside_unit_of_work
def live_identity(account: PaymentAccount, method: str) -> LedgerIdentity | None:
    """The live identity of a locked account, locked too; None when there is none."""
    identity = LedgerIdentity.objects.of(account.pk, method)
    return None if identity is None else LedgerIdentity.objects.lock([identity.pk])[0]


def require_referred(model: type[models.Model], field: str, key: Any) -> None:
    """Raises ReferenceUnknown when no row has `key` in the table that the foreign key `field` of `model` points at.

    The foreign key itself would say so only at the end of the unit of work, and not in words.
    """
    referred: Any = model._meta.get_field(field).related_model
    if not referred._default_manager.filter(pk=key).exists():
        message = f"There is no {referred._meta.verbose_name} {key}."
        raise ReferenceUnknown(message, errors=(FieldError(field, "unknown", message),))
