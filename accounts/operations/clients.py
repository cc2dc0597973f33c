"""API clients and keys: added, let in, issued, rotated, revoked. Each act is audited; no secret is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from accounts.keyformat import KeyText
from accounts.models import ApiClient, ApiKey, PaymentAccount
from accounts.scopes import SCOPES
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, FieldError, NotFound, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work

ROTATION_OVERLAP = timedelta(hours=24)


class NoSuchClient(NotFound):
    """There is no such API client."""

    code = "unknown-api-client"


class NoSuchKey(NotFound):
    """There is no such API key."""

    code = "unknown-api-key"


class ClientKnown(Conflict):
    """There is an API client of this slug already."""

    code = "api-client-known"


class ScopesUnfit(Refused):
    """A key needs at least one scope, and only known ones."""

    code = "scopes-unfit"


class ExpiryUnfit(Refused):
    """A key must expire in the future, or never."""

    code = "key-expiry-unfit"


class ReachUnfit(Refused):
    """There are no such accounts or products."""

    code = "client-reach-unfit"


class KeyNotLive(Conflict):
    """The key is not live any more."""

    code = "api-key-not-live"


class ClientSwitchedOff(Conflict):
    """The client is switched off."""

    code = "api-client-switched-off"
    next_step = "Switch the client on first."


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and, this once, its text."""

    key: ApiKey
    text: KeyText


@unit_of_work
def add_client(
    *, name: str, slug: str, contact_note: str = "", actor: Actor, reason: str = "", at: datetime
) -> ApiClient:
    """Adds an active client without keys. Raises ClientKnown when the slug is taken."""
    client = ApiClient(name=name, slug=slug, contact_note=contact_note, created_at=at)
    try:
        with transaction.atomic():
            client.save(force_insert=True)
    except IntegrityError:
        raise ClientKnown(f"There is an API client {slug} already.", slug=slug) from None
    record_entry(
        actor=actor,
        action="api-client.added",
        subject=client,
        after={"name": name, "slug": slug},
        reason=reason,
        at=at,
    )
    return client


@unit_of_work
def switch_client(client_id: int, *, active: bool, actor: Actor, reason: str, at: datetime) -> ApiClient:
    """Switches a client with all its keys on or off; within five seconds every process knows."""
    client = _locked_client(client_id)
    if client.active == active:
        return client
    client.active = active
    client.save(update_fields=["active"])
    record_entry(
        actor=actor,
        action="api-client.switched-on" if active else "api-client.switched-off",
        subject=client,
        before={"active": not active},
        after={"active": active},
        reason=reason,
        at=at,
    )
    return client


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Which accounts (by number) and which products (by code) a client may reach; None means all of them."""

    accounts: frozenset[str] | None
    products: frozenset[str] | None

    @classmethod
    def of(cls, client: ApiClient) -> Reach:
        """What the client may reach now."""
        numbers = frozenset(client.accounts.values_list("account_number", flat=True))
        codes = frozenset(client.products.values_list("pk", flat=True))
        return cls(accounts=None if client.all_accounts else numbers, products=None if client.all_products else codes)

    def shown(self) -> dict[str, Any]:
        return {
            "accounts": "all" if self.accounts is None else sorted(self.accounts),
            "products": "all" if self.products is None else sorted(self.products),
        }


@unit_of_work
def set_reach(client_id: int, reach: Reach, *, actor: Actor, reason: str = "", at: datetime) -> ApiClient:
    """Which accounts and products the client may reach from now on; within five seconds every process knows.

    Raises NoSuchClient, or ReachUnfit naming what does not exist.
    """
    client = _locked_client(client_id)
    before = Reach.of(client)
    if before == reach:
        return client
    accounts = _found("accounts", PaymentAccount.objects, "account_number", reach.accounts)
    products = _found("products", client.products.model._default_manager, "pk", reach.products)
    client.all_accounts, client.all_products = reach.accounts is None, reach.products is None
    client.save(update_fields=["all_accounts", "all_products"])
    client.accounts.set(accounts)
    client.products.set(products)
    record_entry(
        actor=actor,
        action="api-client.reach-set",
        subject=client,
        before=before.shown(),
        after=reach.shown(),
        reason=reason,
        at=at,
    )
    return client


@unit_of_work
def issue_key(
    client_id: int,
    *,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    actor: Actor,
    reason: str = "",
    at: datetime,
) -> IssuedKey:
    """A new key of the client. The text of it is in the answer and nowhere else.

    Raises NoSuchClient, ClientSwitchedOff, ScopesUnfit or ExpiryUnfit.
    """
    client = _locked_client(client_id)
    if not client.active:
        raise ClientSwitchedOff(f"{client} is switched off.")
    issued = _add_key(client, _checked_scopes(scopes), expires_at=expires_at, at=at)
    _record(issued.key, "api-key.issued", actor=actor, reason=reason, at=at)
    return issued


@unit_of_work
def rotate_key(
    key_id: int, *, overlap: timedelta = ROTATION_OVERLAP, actor: Actor, reason: str = "", at: datetime
) -> IssuedKey:
    """A new key with the scopes and the lifetime of the old one, which stays valid for `overlap` more at most.

    Raises NoSuchKey, or KeyNotLive when the key is revoked, expired or was replaced before.
    """
    old = _locked_key(key_id)
    if old.state(at) != "live":
        raise KeyNotLive(
            f"The key ps_{old.prefix}_… is {old.state(at)}: only a live key is rotated.", prefix=old.prefix
        )
    lifetime = None if old.expires_at is None else old.expires_at - old.created_at
    issued = _add_key(old.client, old.scopes, expires_at=None if lifetime is None else at + lifetime, at=at)
    ends_at = at + max(overlap, timedelta(0))
    old.expires_at = ends_at if old.expires_at is None else min(old.expires_at, ends_at)
    old.replaced_by = issued.key
    old.save(update_fields=["expires_at", "replaced_by"])
    _record(old, "api-key.rotated", actor=actor, reason=reason, at=at)
    _record(issued.key, "api-key.issued", actor=actor, reason=reason, at=at)
    return issued


@unit_of_work
def revoke_key(key_id: int, *, actor: Actor, reason: str, at: datetime) -> ApiKey:
    """Ends a key now; within five seconds every process refuses it. Revoking twice is revoking once."""
    key = _locked_key(key_id)
    if key.revoked_at is not None:
        return key
    key.revoked_at = at
    key.save(update_fields=["revoked_at"])
    _record(key, "api-key.revoked", actor=actor, reason=reason, at=at)
    return key


def find_client(slug: str) -> ApiClient:
    """Raises NoSuchClient."""
    client = ApiClient.objects.filter(slug=slug).first()
    if client is None:
        raise NoSuchClient(f"There is no API client {slug}.")
    return client


def _found(field: str, rows: Any, key: str, wanted: frozenset[str] | None) -> list[Any]:
    """The rows of these keys. Raises ReachUnfit naming those that are not there."""
    found = list(rows.filter(**{f"{key}__in": wanted})) if wanted else []
    missing = sorted((wanted or frozenset()) - {str(getattr(row, key)) for row in found})
    if missing:
        message = f"There are no {field} {', '.join(missing)}."
        raise ReachUnfit(message, errors=(FieldError(field, "unknown", message),))
    return found


@inside_unit_of_work
def _add_key(client: ApiClient, scopes: list[str], *, expires_at: datetime | None, at: datetime) -> IssuedKey:
    if expires_at is not None and expires_at <= at:
        raise ExpiryUnfit("The key would have expired already: choose a time in the future, or none.")
    text = KeyText.generate()
    key = ApiKey.objects.create(
        client=client,
        prefix=text.prefix,
        secret_sha256=text.secret_sha256,
        scopes=scopes,
        created_at=at,
        expires_at=expires_at,
    )
    return IssuedKey(key, text)


@inside_unit_of_work
def _record(key: ApiKey, action: str, *, actor: Actor, reason: str, at: datetime) -> None:
    after = {
        "client": key.client.slug,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }
    record_entry(actor=actor, action=action, subject=key, after=after, reason=reason, at=at)


def _checked_scopes(scopes: Iterable[str]) -> list[str]:
    chosen = sorted(set(scopes))
    unknown = [scope for scope in chosen if scope not in SCOPES]
    if chosen and not unknown:
        return chosen
    problem = f"unknown: {', '.join(unknown)}" if unknown else "none was given"
    message = f"Choose from {', '.join(SCOPES)}; {problem}."
    raise ScopesUnfit(message, errors=(FieldError("scopes", "invalid", message),))


def _locked_client(client_id: int) -> ApiClient:
    clients = ApiClient.objects.lock(client_id)
    if not clients:
        raise NoSuchClient(f"There is no API client {client_id}.")
    return clients[0]


def _locked_key(key_id: int) -> ApiKey:
    keys = ApiKey.objects.lock(key_id)
    if not keys:
        raise NoSuchKey(f"There is no API key {key_id}.")
    return keys[0]
