"""Adding and changing one record of the catalogue: what has been charged or booked by it stays as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Exists, OuterRef, Q

from catalogue.glcodes import SEGMENTS
from catalogue.models import Dated, FeeCode, FeeSchedule, FilingType, GLCode, GLLink, Product, TaxRate
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.calendar import business_date
from kernel.errors import Conflict, FieldError, NotFound, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work

Record = TypeVar("Record", bound=models.Model)
DAY = timedelta(days=1)
# "catal" in ASCII: those who write take turns.
TURN_LOCK = 0x636174616C
# How the audit names each kind, and what of it stays as it is once something was charged or booked by it.
NAMES: dict[type[models.Model], str] = {
    Product: "product",
    FilingType: "filing-type",
    FeeCode: "fee-code",
    GLCode: "gl-code",
    FeeSchedule: "fee-schedule",
    GLLink: "gl-link",
    TaxRate: "tax-rate",
}
PRICE_FIELDS = (
    "fee_code",
    "priority_fee_code",
    "future_effective_fee_code",
    "service_fee_code",
    "variable",
    "statutory_gst",
    "service_gst",
)
KEPT_ONCE_USED: dict[type[models.Model], tuple[str, ...]] = {
    FeeCode: ("amount",),
    GLCode: tuple(segment.field for segment in SEGMENTS),
    FeeSchedule: ("product", "filing_type", "starts_on", *PRICE_FIELDS),
    GLLink: ("fee_schedule", "gl_code", "starts_on"),
    TaxRate: ("tax_type", "rate", "starts_on"),
}


class RecordInvalid(Refused):
    """The record cannot be saved like this."""

    code = "catalogue-record-invalid"
    title = "Record invalid"
    next_step = "Correct the fields that `errors` names."


class NoSuchRecord(NotFound):
    """There is no such record in the catalogue."""

    code = "unknown-catalogue-record"


class RecordKnown(Conflict):
    """There is a record of this code already."""

    code = "catalogue-record-known"


class RecordInUse(Conflict):
    """Something has been charged or booked by the record: what it said then stays."""

    code = "catalogue-record-in-use"
    title = "Record in use"
    next_step = "Open a new version from a date in the future instead."


class DatesOverlap(Conflict):
    """Another record is in force on some of these days."""

    code = "catalogue-dates-overlap"
    title = "Dates overlap"
    next_step = "Choose days on which none is in force, or open a new version of the one that is."


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a record: `changed` are the fields that are different now, none when it was saved as it was."""

    record: models.Model
    is_new: bool
    changed: tuple[str, ...]


@unit_of_work
def save_alone(record: models.Model, *, actor: Actor, reason: str = "", at: datetime) -> Saved:
    """As `save_record`, in a unit of work of its own."""
    return save_record(record, actor=actor, reason=reason, at=at)


@inside_unit_of_work
def save_record(
    record: models.Model,
    *,
    actor: Actor,
    reason: str = "",
    at: datetime,
    change_set: UUID | None = None,
    source: Mapping[str, Any] | None = None,
    past_allowed: bool = False,
) -> Saved:
    """Adds the record, or changes the stored one to it, with an audit entry of what changed; unchanged, nothing.

    What has been charged or booked by stays, unless the caller has made sure of it (`past_allowed`). Raises
    RecordInvalid with one error a field, RecordKnown, RecordInUse and DatesOverlap; nothing is saved then.
    """
    take_turn()
    is_new = record._state.adding
    kind = type(record)
    stored = stored_record(record)
    if is_new and stored is not None:
        raise RecordKnown(f"There is {kind._meta.verbose_name} {record.pk} already.", ids=[record.pk])
    if not is_new and stored is None:
        raise NoSuchRecord(f"There is no {kind._meta.verbose_name} {record.pk}.")
    check_record(record, None if past_allowed else stored, on=business_date(at))
    before = {} if stored is None else values_of(stored)
    after = values_of(record)
    changed = tuple(name for name in after if is_new or after[name] != before[name])
    if not changed:
        return Saved(record, is_new, ())
    _write(record, is_new=is_new)
    record_entry(
        actor=actor,
        action=f"{NAMES[kind]}.{'added' if is_new else 'changed'}",
        subject=record,
        before=None if is_new else {name: before[name] for name in changed},
        after={name: after[name] for name in changed},
        reason=reason,
        at=at,
        change_set=change_set,
        source=source,
    )
    return Saved(record, is_new, changed)


@inside_unit_of_work
def take_turn() -> None:
    """Waits until nobody else writes to the catalogue; to be called before any row is locked.

    PostgreSQL checks an exclusion constraint after the insert, so that two who open the same days at once could each
    wait for the other, and one would be told of a deadlock in the place of the version that was faster.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [TURN_LOCK])


def stored_record(record: Record) -> Record | None:
    """What the table holds under the record's key, locked; None for a new one."""
    if record.pk is None:
        return None
    found = type(record)._default_manager.lock([record.pk])  # type: ignore[attr-defined]
    return found[0] if found else None


def check_record(record: models.Model, stored: models.Model | None, *, on: date) -> None:
    """Raises what `save_record` raises, where `on` is today in the ledger's zone; saves nothing."""
    try:
        record.full_clean(validate_constraints=False)
    except ValidationError as invalid:
        raise RecordInvalid(" ".join(invalid.messages), errors=_errors(invalid)) from None
    if stored is not None:
        _check_unused(record, stored, on=on)
    overlapping = overlapping_ids(record)
    if overlapping:
        _refuse_overlap(record, overlapping)
    try:
        record.validate_constraints()
    except ValidationError as invalid:
        raise RecordInvalid(" ".join(invalid.messages), errors=_errors(invalid)) from None


def overlapping_ids(record: models.Model) -> list[int]:
    """The ids of those beside which the record may not be in force on the same day, and would be."""
    if isinstance(record, FeeSchedule):
        alike = Q(product=record.product_id, filing_type=record.filing_type_id)
    elif isinstance(record, GLLink):
        alike = Q(fee_schedule=record.fee_schedule_id)
    elif isinstance(record, TaxRate):
        alike = Q(tax_type=record.tax_type)
    else:
        return []
    others = type(record)._default_manager.filter(alike).exclude(pk=record.pk)
    return list(others.meeting(record.starts_on, record.ends_on).values_list("pk", flat=True))


def values_of(record: models.Model) -> dict[str, Any]:
    """Every stored value of the record by field name, as the audit keeps it."""
    return {field.name: field.to_python(getattr(record, field.attname)) for field in record._meta.concrete_fields}


def kept_fields(stored: models.Model, *, on: date) -> tuple[str, ...]:
    """What of the record cannot change any more, because something was charged or booked by it; `on` is today."""
    kept = KEPT_ONCE_USED.get(type(stored), ())
    return kept if kept and _users(stored, on=on) else ()


def _check_unused(record: models.Model, stored: models.Model, *, on: date) -> None:
    kept = KEPT_ONCE_USED.get(type(record), ())
    before, after = values_of(stored), values_of(record)
    touched = [name for name in kept if before[name] != after[name]]
    if touched and (users := _users(stored, on=on)):
        named = ", ".join(_title(record, name) for name in touched)
        raise RecordInUse(f"{stored} is in use ({users}): its {named} cannot change any more.", fields=touched)
    if isinstance(stored, Dated) and isinstance(record, Dated) and record.ends_on != stored.ends_on:
        ended = [end for end in (stored.ends_on, record.ends_on) if end is not None and end < on - DAY]
        if ended and stored.has_begun(on):
            raise RecordInUse(
                f"{stored} was in force until {ended[0]}: days that have passed stay.", fields=["ends_on"]
            )


def _users(stored: models.Model, *, on: date) -> str:
    """Who has charged or booked by the record already, in words; empty for nobody."""
    if isinstance(stored, FeeSchedule | GLLink | TaxRate) and stored.has_begun(on):
        return f"since {stored.starts_on}"
    if isinstance(stored, FeeCode):
        naming = Q()
        for name in ("fee_code", "priority_fee_code", "future_effective_fee_code", "service_fee_code"):
            naming |= Q(**{name: stored.pk})
        charged = FeeSchedule.objects.filter(naming).filter(Q(starts_on__lte=on) | _used_above(FeeSchedule))
        return _named("fee schedule", charged) or _users_above(stored)
    if isinstance(stored, GLCode):
        by_other = Q()
        for name in ("service_fee_gl", "disbursement_gl", "statutory_gst_gl", "service_gst_gl"):
            by_other |= Q(**{f"gl_code__{name}": stored.pk})
        links = GLLink.objects.filter(Q(gl_code=stored.pk) | by_other, starts_on__lte=on)
        return _named("GL link", links) or _users_above(stored)
    return _users_above(stored)


def _users_above(stored: models.Model) -> str:
    """As `_users`, by rows of apps above, which refer to the record: an account's own fee, a line of an invoice."""
    kind = type(stored)
    is_used = kind._default_manager.filter(pk=stored.pk).filter(_used_above(kind)).exists()
    return " or ".join(str(user.related_model._meta.verbose_name) for user in _above(kind)) if is_used else ""


def _used_above(kind: type[models.Model]) -> Q:
    rows = ((user.related_model._base_manager, user.field.name) for user in _above(kind))
    # No row has no key: of a kind that nobody above refers to, none is used.
    used = Q(pk__isnull=True)
    for manager, name in rows:
        used |= Q(Exists(manager.filter(**{name: OuterRef("pk")})))
    return used


def _above(kind: type[models.Model]) -> list[Any]:
    return [user for user in kind._meta.related_objects if user.related_model._meta.app_label != kind._meta.app_label]


def _named(word: str, users: models.QuerySet[Any]) -> str:
    ids = list(users.order_by("pk").values_list("pk", flat=True)[:6])
    shown = ", ".join(map(str, ids[:5]))
    return f"{word} {shown}{' and more' if len(ids) > 5 else ''}" if ids else ""


def _write(record: models.Model, *, is_new: bool) -> None:
    try:
        with transaction.atomic():
            record.save(force_insert=is_new, force_update=not is_new)
    except IntegrityError:
        # Somebody was faster between the look and the write.
        overlapping = overlapping_ids(record)
        if overlapping:
            _refuse_overlap(record, overlapping)
        if is_new and type(record)._default_manager.filter(pk=record.pk).exists():
            raise RecordKnown(f"There is {record._meta.verbose_name} {record.pk} already.", ids=[record.pk]) from None
        raise


def _refuse_overlap(record: models.Model, ids: Iterable[int]) -> None:
    listed = list(ids)
    shown = ", ".join(map(str, listed))
    raise DatesOverlap(
        f"{str(record._meta.verbose_name).capitalize()} {shown} is in force on some of these days.", ids=listed
    )


def _errors(invalid: ValidationError) -> tuple[FieldError, ...]:
    return tuple(
        FieldError("" if field == NON_FIELD_ERRORS else field, "invalid", message)
        for field, messages in invalid.message_dict.items()
        for message in messages
    )


def _title(record: models.Model, name: str) -> str:
    return str(getattr(record._meta.get_field(name), "verbose_name", name))
