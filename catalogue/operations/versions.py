"""A price, a GL link or a tax rate that changes from a date: the one before is closed and the next opened together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypedDict, TypeVar, Unpack
from uuid import UUID, uuid4

from catalogue.models import Dated, FeeSchedule, GLCode, GLLink, TaxRate
from catalogue.operations.records import DAY, NoSuchRecord, save_record, take_turn
from kernel.audit.actors import Actor
from kernel.calendar import business_date
from kernel.errors import Conflict, FieldError, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work

Row = TypeVar("Row", bound=Dated)


class StartUnfit(Refused):
    """A new version cannot begin on this day."""

    code = "version-start-unfit"
    title = "First day unfit"
    next_step = "Choose a day after the version's first, and not one that has passed."


class NothingChanges(Refused):
    """The new version says the same as the one before."""

    code = "version-changes-nothing"
    title = "Nothing changes"


class GLCodeNotInForce(Refused):
    """The GL code is not in force from the day on."""

    code = "gl-code-not-in-force"
    title = "GL code not in force"


class NothingBooked(Conflict):
    """Nothing is booked to the GL code from the day on."""

    code = "gl-code-not-linked"
    title = "GL code not linked"


class ScheduleChanges(TypedDict, total=False):
    """What a new version of a price may change, by field; a fee is named by its code, None takes it away."""

    priority_fee_code: str | None
    future_effective_fee_code: str | None
    service_fee_code: str | None
    variable: bool
    on_price_list: bool
    statutory_gst: bool
    service_gst: bool
    comments: str


@dataclass(frozen=True, slots=True)
class Version(Generic[Row]):
    """The version that was closed and the one that follows it."""

    closed: Row
    opened: Row


@unit_of_work
def new_schedule_version(
    schedule_id: int,
    *,
    fee_code: str,
    starts_on: date,
    past_allowed: bool = False,
    actor: Actor,
    reason: str,
    at: datetime,
    **changes: Unpack[ScheduleChanges],
) -> Version[FeeSchedule]:
    """Ends the price the day before `starts_on` and opens the next, which is booked to the same GL codes.

    The next lasts as long as the one before would have. Raises NoSuchRecord, StartUnfit (a day that has passed is
    taken with `past_allowed` only), NothingChanges, RecordInvalid and DatesOverlap, which names the other prices.
    """
    take_turn()
    old = _locked(FeeSchedule, schedule_id)
    new = changed_schedule(old, fee_code=fee_code, **changes)
    if not _differing(old, new):
        raise NothingChanges(f"{old} costs that already.")
    change_set = uuid4()
    trail: dict[str, Any] = {"actor": actor, "reason": reason, "at": at, "change_set": change_set}
    version = _succeed(old, new, starts_on=starts_on, past_allowed=past_allowed, **trail)
    _carry_links_over(version, **trail)
    return version


@unit_of_work
def new_link_version(
    link_id: int,
    *,
    gl_code_id: int,
    starts_on: date,
    past_allowed: bool = False,
    actor: Actor,
    reason: str,
    at: datetime,
) -> Version[GLLink]:
    """Books the price to another GL code from `starts_on` on. Raises as new_schedule_version, and GLCodeNotInForce."""
    take_turn()
    link = _locked(GLLink, link_id)
    return _relink(
        link,
        gl_code_id,
        starts_on=starts_on,
        past_allowed=past_allowed,
        actor=actor,
        reason=reason,
        at=at,
        change_set=uuid4(),
    )


@unit_of_work
def replace_gl_code(
    gl_code_id: int,
    *,
    by_gl_code_id: int,
    starts_on: date,
    past_allowed: bool = False,
    actor: Actor,
    reason: str,
    at: datetime,
) -> list[GLLink]:
    """Books all that is booked to the one GL code to the other from `starts_on` on; the links that were opened.

    Links that would begin later are moved as they are. Raises as new_link_version, and NothingBooked; then nothing
    is changed at all.
    """
    take_turn()
    ids = list(GLLink.objects.filter(gl_code=gl_code_id).meeting(starts_on, None).values_list("pk", flat=True))
    links = GLLink.objects.lock(ids)
    if not links:
        raise NothingBooked(f"No price is booked to GL code {gl_code_id} on {starts_on} or later.", ids=[gl_code_id])
    trail: dict[str, Any] = {"actor": actor, "reason": reason, "at": at, "change_set": uuid4()}
    opened = []
    for link in links:
        if link.starts_on >= starts_on and not link.has_begun(business_date(at)):
            _require_in_force(by_gl_code_id, link.starts_on)
            link.gl_code_id = by_gl_code_id
            save_record(link, **trail)
            opened.append(link)
        else:
            opened.append(_relink(link, by_gl_code_id, starts_on=starts_on, past_allowed=past_allowed, **trail).opened)
    return opened


@unit_of_work
def new_rate_version(
    rate_id: int,
    *,
    rate: Decimal,
    starts_on: date,
    past_allowed: bool = False,
    actor: Actor,
    reason: str,
    at: datetime,
) -> Version[TaxRate]:
    """Changes the rate of a tax (a share of one) from `starts_on` on. Raises as new_schedule_version."""
    take_turn()
    old = _locked(TaxRate, rate_id)
    if old.rate == rate:
        raise NothingChanges(f"{old.tax_type} is {rate} already.")
    new = TaxRate(tax_type=old.tax_type, rate=rate)
    trail: dict[str, Any] = {"actor": actor, "reason": reason, "at": at, "change_set": uuid4()}
    return _succeed(old, new, starts_on=starts_on, past_allowed=past_allowed, **trail)


def changed_schedule(old: FeeSchedule, *, fee_code: str, **changes: Unpack[ScheduleChanges]) -> FeeSchedule:
    """A copy that is not saved, with other fees; its days are still to be set."""
    kept = {
        field.attname: getattr(old, field.attname)
        for field in FeeSchedule._meta.concrete_fields
        if field.name not in ("id", "starts_on", "ends_on")
    }
    given = {FeeSchedule._meta.get_field(name).attname: value for name, value in changes.items()}  # type: ignore[union-attr]
    return FeeSchedule(**kept | given | {"fee_code_id": fee_code})


def _differing(old: FeeSchedule, new: FeeSchedule) -> list[str]:
    fields = (field for field in FeeSchedule._meta.concrete_fields if field.name not in ("id", "starts_on", "ends_on"))
    return [field.name for field in fields if getattr(old, field.attname) != getattr(new, field.attname)]


@inside_unit_of_work
def _succeed(
    old: Row,
    new: Row,
    *,
    starts_on: date,
    past_allowed: bool,
    actor: Actor,
    reason: str,
    at: datetime,
    change_set: UUID,
) -> Version[Row]:
    """Closes `old` the day before and saves `new` in its place, for as long as `old` would have lasted."""
    check_start(old, starts_on, on=business_date(at), past_allowed=past_allowed)
    trail: dict[str, Any] = {"actor": actor, "reason": reason, "at": at, "change_set": change_set}
    new.starts_on = starts_on
    # Of a version that ends the day before anyway, the next has no end: nobody has said one.
    follows = old.ends_on is not None and starts_on > old.ends_on
    new.ends_on = None if follows else old.ends_on
    if not follows:
        old.ends_on = starts_on - DAY
        save_record(old, past_allowed=past_allowed, **trail)
    save_record(new, **trail)
    return Version(old, new)


def check_start(row: Dated, starts_on: date, *, on: date, past_allowed: bool = False) -> None:
    """Raises StartUnfit when the next version of `row` cannot begin on the day; `on` is today."""
    message = ""
    if starts_on < on and not past_allowed:
        message = f"{starts_on} has passed: orders of that time were charged by the version of that time."
    elif starts_on <= row.starts_on:
        message = f"The version is in force from {row.starts_on}: the next begins on a later day."
    elif row.ends_on is not None and starts_on > row.ends_on + DAY:
        message = f"The version ends on {row.ends_on}: the next begins on {row.ends_on + DAY} at the latest."
    if message:
        raise StartUnfit(message, errors=(FieldError("starts_on", StartUnfit.code, message),))


@inside_unit_of_work
def _carry_links_over(version: Version[FeeSchedule], **trail: Any) -> None:
    """What the closed price was booked to, the opened one is booked to, from its first day on."""
    starts_on = version.opened.starts_on
    ids = list(version.closed.gl_links.meeting(starts_on, None).values_list("pk", flat=True))
    for link in GLLink.objects.lock(ids):
        if link.starts_on >= starts_on:
            link.fee_schedule = version.opened
            save_record(link, past_allowed=True, **trail)
            continue
        carried = GLLink(
            fee_schedule=version.opened, gl_code_id=link.gl_code_id, starts_on=starts_on, ends_on=link.ends_on
        )
        link.ends_on = starts_on - DAY
        save_record(link, past_allowed=True, **trail)
        save_record(carried, **trail)


@inside_unit_of_work
def _relink(link: GLLink, gl_code_id: int, *, starts_on: date, past_allowed: bool, **trail: Any) -> Version[GLLink]:
    if link.gl_code_id == gl_code_id:
        raise NothingChanges(f"{link} is booked to GL code {gl_code_id} already.")
    _require_in_force(gl_code_id, starts_on)
    new = GLLink(fee_schedule_id=link.fee_schedule_id, gl_code_id=gl_code_id)
    return _succeed(link, new, starts_on=starts_on, past_allowed=past_allowed, **trail)


def _require_in_force(gl_code_id: int, on: date) -> None:
    gl_code = GLCode.objects.filter(pk=gl_code_id).first()
    if gl_code is None:
        raise NoSuchRecord(f"There is no GL code {gl_code_id}.")
    gl_code.require_usable()
    if not gl_code.is_in_force(on):
        message = f"{gl_code} is not in force on {on}."
        raise GLCodeNotInForce(message, errors=(FieldError("gl_code", GLCodeNotInForce.code, message),))


def _locked(kind: type[Row], pk: int) -> Row:
    found = kind._default_manager.lock([pk])  # type: ignore[attr-defined]
    if not found:
        raise NoSuchRecord(f"There is no {kind._meta.verbose_name} {pk}.")
    row: Row = found[0]
    return row
