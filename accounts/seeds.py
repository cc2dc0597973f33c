"""Invented accounts and partners for a first look: one or more a payment method, with every state that a page shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from accounts import operations
from accounts.models import AccountFee, BankDetails, LedgerIdentity, Partner, PaymentAccount
from accounts.operations import AccountDetails, PartnerDetails
from accounts.states import Method
from kernel.audit.actors import Actor

ACTOR = Actor.command("load_demo")
REASON = "Demo data"
# The ledger's numbers begin so; they are invented.
LEDGER_NUMBERS_FROM = 88_100_020


@dataclass(frozen=True, slots=True)
class Seed:
    """One account to open; `opened_days_ago` lets the states that time brings about be there at once."""

    number: str
    details: AccountDetails
    bank: BankDetails | None = None
    opened_days_ago: int = 120


def _details(name: str, method: str, **others: Any) -> AccountDetails:
    return AccountDetails(name=name, payment_method=method, **others)


SEEDS = (
    Seed("1001", _details("Cedar Lane Law", "PAD"), BankDetails("001", "00020", "5550001234")),
    Seed("1002", _details("Tidewater Notaries", "PAD"), BankDetails("003", "00120", "7710045"), opened_days_ago=1),
    Seed(
        "1003",
        _details("Old Mill Surveyors", "PAD", branch_name="North office"),
        BankDetails("0016", "10270", "330098761"),
    ),
    Seed("1004", _details("Heron Bay Title", "EFT", eft_enabled=True, statement_notification_enabled=True)),
    Seed(
        "1005",
        _details("Larch & Partners", "EFT", eft_enabled=True, branch_name="Records"),
    ),
    Seed("1006", _details("Ministry of Invented Works", "EJV")),
    Seed("1007", _details("Office of Internal Forms", "EJV", billable=False)),
    Seed("1008", _details("Pebble Creek Farms", "ONLINE_BANKING")),
    Seed("1009", _details("Jay Walker, sole trader", "DIRECT_PAY")),
    Seed("1010", _details("Saltspray Realty", "DIRECT_PAY", branch_name="Harbour")),
    Seed(
        "1011",
        _details("Amber Registry Agents", "DRAWDOWN", prepaid_user_id="PD77061", prepaid_account="180670"),
    ),
    Seed("1012", _details("Ministry of Restricted Journals", "EJV", billable=False, journal_restricted=True)),
)
PARTNERS: tuple[tuple[str, PartnerDetails, tuple[str, ...]], ...] = (
    ("COURTS", PartnerDetails(name="Invented courts", kind="GOVERNMENT"), ("CSO",)),
    ("RURALTAX", PartnerDetails(name="Invented rural tax", kind="GOVERNMENT"), ("RPT",)),
    ("VITALS", PartnerDetails(name="Invented vital statistics", kind="GOVERNMENT"), ("VS",)),
    (
        "ASSESSOR",
        PartnerDetails(
            name="Invented assessors",
            kind="NON_GOVERNMENT",
            supplier_number="700123",
            supplier_site="001",
        ),
        ("BCA",),
    ),
)


def load_accounts(at: datetime) -> None:
    """Opens the demo accounts and adds the demo partners; what is there already is left as it is.

    After the catalogue's seeds: products are given to partners and a fee is agreed only where the catalogue has them.
    """
    for place, seed in enumerate(SEEDS):
        opened_at = at - timedelta(days=seed.opened_days_ago)
        details = _with_gl_code(seed.details)
        if details is None or PaymentAccount.objects.filter(account_number=seed.number).exists():
            continue
        account = operations.open_account(seed.number, details, actor=ACTOR, reason=REASON, at=opened_at).account
        _make_known(account, seed, str(LEDGER_NUMBERS_FROM + place), opened_at)
    _agree_a_fee(at)
    for code, partner_details, products in PARTNERS:
        _add_partner(code, partner_details, products, at)


def _with_gl_code(details: AccountDetails) -> AccountDetails | None:
    """A billable account that pays by journal voucher gets a code of its own; None when the catalogue has none."""
    if details.payment_method != Method.EJV or not details.billable:
        return details
    codes: Any = PaymentAccount._meta.get_field("journal_gl").related_model
    own = codes._default_manager.filter(name=details.name).first() or codes._default_manager.order_by("pk").first()
    return None if own is None else replace(details, journal_gl_id=own.pk)


def _make_known(account: PaymentAccount, seed: Seed, ledger_account: str, at: datetime) -> None:
    """Bank details, accepted terms and the ledger's numbers, as they would have come since the account was opened."""
    method = seed.details.payment_method
    if seed.bank is not None:
        operations.set_bank_details(account.pk, seed.bank, actor=ACTOR, reason=REASON, at=at)
        operations.accept_pad_terms(account.pk, accepted_by="Demo customer", actor=ACTOR, reason=REASON, at=at)
    elif method in (Method.EFT, Method.ONLINE_BANKING):
        operations.ensure_identity(account.pk, method=method, actor=ACTOR, reason=REASON, at=at)
    identity = LedgerIdentity.objects.of(account.pk, method)
    if identity is None:
        return
    operations.record_ledger_numbers(
        identity.pk,
        party=f"P{ledger_account}",
        ledger_account=ledger_account,
        site=f"S{ledger_account}",
        actor=ACTOR,
        reason=REASON,
        at=at,
    )
    if seed.bank is not None and seed.opened_days_ago > settings.PAD_CONFIRMATION_DAYS + 1:
        activated_at = at + timedelta(days=settings.PAD_CONFIRMATION_DAYS + 2)
        operations.activate_pad(account.pk, actor=ACTOR, reason=REASON, at=activated_at)


def _agree_a_fee(at: datetime) -> None:
    """One account is charged a lower service fee, where the catalogue has the product and the fee."""
    account = PaymentAccount.objects.filter(account_number="1001").first()
    if account is None or not (_has("product", "BTR") and _has("service_fee_code", "TRF02")):
        return
    operations.set_account_fee(
        account.pk,
        product_code="BTR",
        applies_filing_fees=True,
        service_fee_code="TRF02",
        actor=ACTOR,
        reason=REASON,
        at=at,
    )


def _add_partner(code: str, details: PartnerDetails, products: tuple[str, ...], at: datetime) -> None:
    partner = Partner.objects.filter(code=code).first()
    if partner is None:
        partner = operations.add_partner(code, details, actor=ACTOR, reason=REASON, at=at)
    for product in products:
        if _has("product", product):
            operations.give_product(partner.pk, product, actor=ACTOR, reason=REASON, at=at)


def _has(field: str, key: str) -> bool:
    referred: Any = AccountFee._meta.get_field(field).related_model
    return bool(referred._default_manager.filter(pk=key).exists())
