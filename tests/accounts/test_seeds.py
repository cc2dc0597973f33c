"""The demo's accounts: every method and state, invented names, and a second loading that changes nothing."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import AccountFee, LedgerIdentity, Partner, PartnerProduct, PaymentAccount
from accounts.seeds import load_accounts
from catalogue.seeds import load_catalogue
from kernel.audit.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)


def test_there_are_accounts_of_every_method_and_state() -> None:
    at = timezone.now()
    load_catalogue(at)

    load_accounts(at)

    by_method = list(PaymentAccount.objects.order_by("pk").values_list("payment_method", flat=True))
    assert sorted(by_method) == sorted(
        ["PAD"] * 3 + ["EFT"] * 2 + ["EJV"] * 3 + ["ONLINE_BANKING", "DIRECT_PAY", "DIRECT_PAY", "DRAWDOWN"]
    )
    government = PaymentAccount.objects.get(account_number="1006")
    assert government.journal_gl is not None
    assert government.journal_gl.name == government.name
    assert LedgerIdentity.objects.filter(payment_method="PAD", status="PENDING_PAD_ACTIVATION").count() == 1
    assert LedgerIdentity.objects.filter(payment_method="PAD", status="ACTIVE").count() == 2
    assert AccountFee.objects.get().service_fee_code_id == "TRF02"
    assert sorted(PartnerProduct.objects.values_list("product_id", flat=True)) == ["BCA", "CSO", "RPT", "VS"]


def test_loading_again_changes_nothing() -> None:
    at = timezone.now()
    load_catalogue(at)
    load_accounts(at)
    told = AuditEntry.objects.count()

    load_accounts(timezone.now())

    assert (PaymentAccount.objects.count(), Partner.objects.count()) == (12, 4)
    assert AuditEntry.objects.count() == told


def test_without_a_catalogue_what_needs_it_is_left_out() -> None:
    load_accounts(timezone.now())

    assert PaymentAccount.objects.count() == 11
    assert (AccountFee.objects.count(), PartnerProduct.objects.count()) == (0, 0)
