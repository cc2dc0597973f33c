"""Who may post webhooks: creating channels, changing them, and changing their secrets while both ends keep running."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError

from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.currencies import CURRENCY_EXPONENTS
from kernel.errors import Conflict, FieldError, NotFound, Refused
from kernel.transactions import after_commit, unit_of_work
from payments.adapters import ADAPTERS
from payments.adapters.configured import mapping_errors
from payments.channeldirectory import directory, receivable_networks
from payments.models import Channel
from payments.signatures import SecretInvalid, key_from_secret, secret_from_key
from payments.states import SignatureScheme

SECRET_BYTES = 32
OVERLAP_HOURS = 24
OVERLAP_MAX_HOURS = 24 * 30
TOLERANCE_MAX_SECONDS = 3600
SLUG_MAX_LENGTH = 100
# What update_channel may change. Secrets have operations of their own; the slug is part of an address that others hold.
CHANGEABLE = (
    "name",
    "is_active",
    "adapter",
    "mapping",
    "currency",
    "signature_scheme",
    "allowed_networks",
    "rate_limit_per_minute",
    "clock_tolerance_seconds",
)
_slug = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)


class ChannelInvalid(Refused):
    """The channel cannot be saved like this."""

    code = "channel-invalid"
    title = "Channel invalid"
    next_step = "Correct the fields that `errors` names."


class ChannelExists(Conflict):
    """There is already a channel of this slug."""

    code = "channel-exists"
    title = "Channel exists"


class RotationRunning(Conflict):
    """The secret before is still live: a second rotation would cut it off."""

    code = "rotation-running"
    title = "A rotation is still running"
    next_step = "Wait until the previous secret has expired, or revoke it first."


class NoPreviousSecret(Conflict):
    """There is no previous secret to revoke."""

    code = "no-previous-secret"
    title = "No previous secret"


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A channel and its new secret, which can be read here and never again."""

    channel: Channel
    secret: str

    def __repr__(self) -> str:
        return f"IssuedSecret({self.channel.slug})"


def new_secret() -> str:
    """A signing secret: `whsec_` and the base64 of 32 random bytes."""
    return secret_from_key(secrets.token_bytes(SECRET_BYTES))


def channel_errors(values: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with these values of a channel, each with the field's name; for forms and for the operations.

    Only the fields that are given are checked; the mapping only with the adapter `configured`.
    """
    checks = (
        _text_errors(values),
        _choice_errors(values),
        _number_errors(values, "rate_limit_per_minute", 1, 2**31 - 1),
        _number_errors(values, "clock_tolerance_seconds", 1, TOLERANCE_MAX_SECONDS),
        _network_errors(values),
        mapping_errors(values.get("mapping")) if values.get("adapter") == "configured" else [],
    )
    return [error for errors in checks for error in errors]


@unit_of_work
def create_channel(
    *,
    slug: str,
    name: str,
    adapter: str = "generic",
    scheme: SignatureScheme = SignatureScheme.STANDARD_WEBHOOKS,
    secret: str | None = None,
    actor: Actor,
    at: datetime,
    reason: str = "",
    **settings: Any,
) -> IssuedSecret:
    """A new channel. `secret` is made when none is given; `settings` are further fields out of CHANGEABLE.

    Raises ChannelInvalid, SecretInvalid or ChannelExists.
    """
    values = {"slug": slug, "name": name, "adapter": adapter, "signature_scheme": str(scheme), **settings}
    _refuse_wrong(values, allowed=("slug", *CHANGEABLE))
    issued = secret or new_secret()
    key_from_secret(issued, SignatureScheme(scheme))
    try:
        channel = Channel.objects.create(**_normal(values), secret=issued, secret_rotated_at=at)
    except IntegrityError:
        raise ChannelExists(f"There is already a channel {slug}.", slug=slug) from None
    record_entry(
        actor=actor, action="channel.created", subject=channel, after=_shown(channel, values), reason=reason, at=at
    )
    after_commit(directory.forget)
    return IssuedSecret(channel, issued)


@unit_of_work
def update_channel(
    channel: Channel, *, changes: Mapping[str, Any], actor: Actor, at: datetime, reason: str = ""
) -> Channel:
    """Changes fields out of CHANGEABLE; gives the channel as it is then. Nothing that differs writes nothing.

    Raises ChannelInvalid; SecretInvalid when the secret does not have the form that a new scheme asks for; NotFound.
    """
    locked = _lock(channel)
    context = {"adapter": locked.adapter, "mapping": locked.mapping}
    _refuse_wrong({**context, **changes}, allowed=CHANGEABLE)
    changed = {name: value for name, value in _normal(changes).items() if getattr(locked, name) != value}
    if not changed:
        return locked
    if "signature_scheme" in changed:
        key_from_secret(locked.secret, SignatureScheme(changed["signature_scheme"]))
    before = _shown(locked, changed)
    for name, value in changed.items():
        setattr(locked, name, value)
    locked.save(update_fields=[*changed, "updated_at"])
    after = _shown(locked, changed)
    record_entry(
        actor=actor, action="channel.changed", subject=locked, before=before, after=after, reason=reason, at=at
    )
    after_commit(directory.forget)
    return locked


@unit_of_work
def rotate_secret(
    channel: Channel,
    *,
    actor: Actor,
    at: datetime,
    overlap_hours: int = OVERLAP_HOURS,
    secret: str | None = None,
    reason: str = "",
) -> IssuedSecret:
    """A new secret; the one before stays live for overlap_hours (0 ends it at once).

    Raises RotationRunning while an earlier secret is live, ChannelInvalid for an overlap out of range, SecretInvalid,
    NotFound when the channel was deleted meanwhile.
    """
    if not 0 <= overlap_hours <= OVERLAP_MAX_HOURS:
        message = f"The overlap is 0 to {OVERLAP_MAX_HOURS} hours."
        raise ChannelInvalid(message, errors=(FieldError("overlap_hours", "out_of_range", message),))
    locked = _lock(channel)
    if locked.previous_secret and locked.previous_secret_expires_at and locked.previous_secret_expires_at > at:
        raise RotationRunning(expires_at=locked.previous_secret_expires_at.isoformat())
    issued = secret or new_secret()
    key_from_secret(issued, SignatureScheme(locked.signature_scheme))
    locked.previous_secret = locked.secret if overlap_hours else ""
    locked.previous_secret_expires_at = at + timedelta(hours=overlap_hours) if overlap_hours else None
    locked.secret = issued
    locked.secret_rotated_at = at
    _save_secrets(locked)
    after = {"overlap_hours": overlap_hours}
    record_entry(actor=actor, action="channel.secret-rotated", subject=locked, after=after, reason=reason, at=at)
    return IssuedSecret(locked, issued)


@unit_of_work
def revoke_previous_secret(channel: Channel, *, actor: Actor, at: datetime, reason: str = "") -> Channel:
    """Ends the overlap of a rotation now. Raises NoPreviousSecret when there is nothing to end, NotFound."""
    locked = _lock(channel)
    if not locked.previous_secret:
        raise NoPreviousSecret
    expires_at = locked.previous_secret_expires_at
    before = {"previous_secret_expires_at": expires_at.isoformat() if expires_at else None}
    locked.previous_secret = ""
    locked.previous_secret_expires_at = None
    _save_secrets(locked)
    record_entry(
        actor=actor, action="channel.previous-secret-revoked", subject=locked, before=before, reason=reason, at=at
    )
    return locked


def _lock(channel: Channel) -> Channel:
    found = Channel.objects.lock([channel.pk])
    if not found:
        raise NotFound(f"There is no channel {channel.slug} any more.")
    locked: Channel = found[0]
    return locked


def _save_secrets(channel: Channel) -> None:
    channel.save(
        update_fields=["secret", "previous_secret", "previous_secret_expires_at", "secret_rotated_at", "updated_at"]
    )
    after_commit(directory.forget)


def _refuse_wrong(values: Mapping[str, Any], *, allowed: tuple[str, ...]) -> None:
    unknown = [FieldError(name, "unknown", f"{name} cannot be set here.") for name in values if name not in allowed]
    errors = unknown or channel_errors(values)
    if errors:
        raise ChannelInvalid("; ".join(error.message for error in errors), errors=tuple(errors))


def _normal(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are stored: ranges in one spelling, the scheme as its code."""
    normal = dict(values)
    if "allowed_networks" in normal:
        normal["allowed_networks"] = receivable_networks(normal["allowed_networks"])
    if "signature_scheme" in normal:
        normal["signature_scheme"] = str(normal["signature_scheme"])
    return normal


def _shown(channel: Channel, names: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit may know of a channel: no secret is among these fields."""
    return {name: getattr(channel, name) for name in names if name in CHANGEABLE or name == "slug"}


def _text_errors(values: Mapping[str, Any]) -> list[FieldError]:
    errors = []
    slug = values.get("slug", "a")
    if not isinstance(slug, str) or len(slug) > SLUG_MAX_LENGTH or not _slug.fullmatch(slug):
        message = f"The slug is at most {SLUG_MAX_LENGTH} lower-case letters, digits and hyphens."
        errors.append(FieldError("slug", "malformed", message))
    name = values.get("name", "a")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 200:
        errors.append(FieldError("name", "malformed", "The name has 1 to 200 characters."))
    return errors


def _choice_errors(values: Mapping[str, Any]) -> list[FieldError]:
    errors = []
    if values.get("adapter", "generic") not in ADAPTERS:
        errors.append(FieldError("adapter", "unknown", f"The format is one of {', '.join(ADAPTERS)}."))
    schemes = [scheme.value for scheme in SignatureScheme]
    if values.get("signature_scheme", schemes[0]) not in schemes:
        errors.append(FieldError("signature_scheme", "unknown", f"The scheme is one of {', '.join(schemes)}."))
    if values.get("currency") and values["currency"] not in CURRENCY_EXPONENTS:
        errors.append(FieldError("currency", "unknown", "Give an ISO 4217 code in capitals, such as CAD, or nothing."))
    return errors


def _number_errors(values: Mapping[str, Any], name: str, minimum: int, maximum: int) -> list[FieldError]:
    value = values.get(name, minimum)
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
        return [FieldError(name, "out_of_range", f"{name} is a whole number from {minimum} to {maximum}.")]
    return []


def _network_errors(values: Mapping[str, Any]) -> list[FieldError]:
    try:
        receivable_networks(values.get("allowed_networks") or [])
    except ValueError as error:
        message = f"{str(error)!r} is no address or CIDR range, such as 203.0.113.0/24 or 2001:db8::/32."
        return [FieldError("allowed_networks", "malformed", message)]
    return []


__all__ = [
    "ChannelExists",
    "ChannelInvalid",
    "IssuedSecret",
    "NoPreviousSecret",
    "RotationRunning",
    "SecretInvalid",
    "channel_errors",
    "create_channel",
    "new_secret",
    "revoke_previous_secret",
    "rotate_secret",
    "update_channel",
]
