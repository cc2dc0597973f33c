"""Partners, how they are paid, and whose product is whose."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import Partner, PartnerProduct
from accounts.operations.finding import require_referred
from accounts.states import PartnerKind
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, FieldError, NotFound, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work


class NoSuchPartner(NotFound):
    """There is no such partner."""

    code = "unknown-partner"


class PartnerKnown(Conflict):
    """There is a partner of this code already."""

    code = "partner-known"


class PartnerUnfit(Refused):
    """These details of a partner do not fit together."""

    code = "partner-unfit"


class ProductTaken(Conflict):
    """The product belongs to another partner."""

    code = "product-of-another-partner"
    next_step = "Take it from that partner first."


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerDetails:
    """Who is paid, and how: outside government by a supplier number and site of accounts payable."""

    name: str
    kind: str
    supplier_number: str = ""
    supplier_site: str = ""
    active: bool = True


@unit_of_work
def add_partner(code: str, details: PartnerDetails, *, actor: Actor, reason: str = "", at: datetime) -> Partner:
    """A new partner without products. Raises PartnerUnfit, or PartnerKnown when the code is taken."""
    _check(details)
    partner = Partner(code=code, **asdict(details))
    try:
        with transaction.atomic():
            partner.save(force_insert=True)
    except IntegrityError:
        raise PartnerKnown(f"There is a partner {code} already.", partner=code) from None
    after = {"code": code, **asdict(details)}
    record_entry(actor=actor, action="partner.added", subject=partner, after=after, reason=reason, at=at)
    return partner


@unit_of_work
def change_partner(
    partner_id: int, details: PartnerDetails, *, actor: Actor, reason: str = "", at: datetime
) -> Partner:
    """Puts these details in the place of the old ones. Raises NoSuchPartner or PartnerUnfit."""
    _check(details)
    partner = _locked(partner_id)
    new = asdict(details)
    before = {field: getattr(partner, field) for field in new if getattr(partner, field) != new[field]}
    if not before:
        return partner
    for field in before:
        setattr(partner, field, new[field])
    partner.save(update_fields=list(before))
    after = {field: new[field] for field in before}
    record_entry(
        actor=actor, action="partner.changed", subject=partner, before=before, after=after, reason=reason, at=at
    )
    return partner


@unit_of_work
def give_product(partner_id: int, product_code: str, *, actor: Actor, reason: str = "", at: datetime) -> PartnerProduct:
    """The product is this partner's from now on; giving it twice is giving it once.

    Raises NoSuchPartner, ReferenceUnknown, or ProductTaken naming the partner that has it.
    """
    partner = _locked(partner_id)
    require_referred(PartnerProduct, "product", product_code)
    try:
        with transaction.atomic():
            given = PartnerProduct.objects.create(partner=partner, product_id=product_code)
    except IntegrityError:
        held = PartnerProduct.objects.select_related("partner").get(product_id=product_code)
        if held.partner_id == partner.pk:
            return held
        raise ProductTaken(f"{product_code} belongs to {held.partner}.", ids=[held.partner_id]) from None
    record_entry(
        actor=actor,
        action="partner.product-given",
        subject=partner,
        after={"product": product_code},
        reason=reason,
        at=at,
    )
    return given


@unit_of_work
def take_product(partner_id: int, product_code: str, *, actor: Actor, reason: str, at: datetime) -> None:
    """The product is this partner's no longer; nothing happens when it was not. Raises NoSuchPartner."""
    partner = _locked(partner_id)
    taken, _ = PartnerProduct.objects.filter(partner=partner, product_id=product_code).delete()
    if taken:
        record_entry(
            actor=actor,
            action="partner.product-taken",
            subject=partner,
            before={"product": product_code},
            reason=reason,
            at=at,
        )


@inside_unit_of_work
def _locked(partner_id: int) -> Partner:
    partners = Partner.objects.lock([partner_id])
    if not partners:
        raise NoSuchPartner(f"There is no partner {partner_id}.")
    return partners[0]


def _check(details: PartnerDetails) -> None:
    errors: list[FieldError] = []
    if not details.name.strip():
        errors.append(FieldError("name", "blank", "Give the partner a name."))
    if details.kind not in set(PartnerKind):
        errors.append(FieldError("kind", "unknown", f"Choose from {', '.join(PartnerKind)}."))
    if details.kind == PartnerKind.NON_GOVERNMENT and not (details.supplier_number and details.supplier_site):
        message = "Accounts payable needs the supplier number and site of a partner outside government."
        errors.append(FieldError("supplier_number", "required", message))
    if errors:
        raise PartnerUnfit(" ".join(error.message for error in errors), errors=tuple(errors))
