"""The demo data: what is staged, what becomes of it, and the channels and key that come with it."""

from __future__ import annotations

import stat

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from accounts.models import AccountFee, ApiKey, LedgerIdentity, Partner, PartnerProduct, PaymentAccount
from accounts.scopes import ACCOUNTS_TERMS, FEES_EXCLUDE_SERVICE, FEES_WAIVE, INVOICES_READ, REFUNDS_APPROVE, SCOPES
from payments.ingestion import IngestionTotals, Pace, ingest
from payments.models import Channel, Payment, ReferenceConflict, StagingRejection
from paymentsite.demo import load_demo_records, stage_demo_file, stage_generated_rows
from tests.console.people import signed_in
from tests.payments.staged import count, prepare_staging

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _staging() -> None:
    prepare_staging()


def test_the_demo_file_stages_200_rows_and_keeps_the_line_that_the_table_cannot_hold() -> None:
    imported = stage_demo_file(at=timezone.now())

    assert (imported.staged, imported.rejected) == (200, 1)
    rejection = StagingRejection.objects.get()
    assert rejection.reasons == ["loan_account_number_too_long"]
    assert rejection.origin.startswith("demo_payments.csv line ")


def test_every_kind_of_trouble_in_the_demo_rows_ends_where_it_should() -> None:
    stage_demo_file(at=timezone.now())

    totals = ingest(Pace(batch_size=1000))

    assert totals == IngestionTotals(
        batches=totals.batches, rows=200, recorded=188, duplicates=8, conflicts=2, rejected=2
    )
    assert {reason for row in StagingRejection.objects.all() for reason in row.reasons} == {
        "amount_not_positive",
        "payment_date_in_future",
        "loan_account_number_too_long",
    }
    assert [row.difference[0]["field"] for row in ReferenceConflict.objects.all()] == ["amount", "amount"]
    assert Payment.objects.filter(payment_channel=None).count() > 10
    assert any("Zoë" in str(metadata) for metadata in Payment.objects.values_list("metadata", flat=True))
    assert count("payments_default") == 0


def test_generated_rows_are_the_same_for_the_same_seed_and_one_in_twenty_repeats() -> None:
    at = timezone.now()
    stage_generated_rows(400, at=at, seed=7)
    totals = ingest(Pace(batch_size=1000))
    stage_generated_rows(400, at=at, seed=7)
    again = ingest(Pace(batch_size=1000))

    assert (totals.recorded, totals.duplicates) == (380, 20)
    assert (again.recorded, again.duplicates, again.conflicts) == (0, 400, 0)


def test_the_demo_makes_channels_and_a_key_whose_secrets_only_the_owner_can_read() -> None:
    call_command("load_demo", verbosity=0)

    assert set(Channel.objects.values_list("slug", flat=True)) == {
        "generic",
        "issuing-bank",
        "merchant-pos",
        "loan-portal",
    }
    secret = settings.STATE.demo_webhook_secret_file
    assert secret.read_text() == Channel.objects.get(slug="generic").secret
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    for slug, key in (
        ("demo-partner", settings.STATE.demo_api_key_file),
        ("demo-approver", settings.STATE.demo_approver_key_file),
    ):
        assert key.read_text().startswith(f"ps_{ApiKey.objects.get(client__slug=slug).prefix}_")
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_demo_partner_may_do_all_but_waive_fees_and_another_system_approves_its_refunds() -> None:
    call_command("load_demo", verbosity=0)

    partner = ApiKey.objects.select_related("client").get(client__slug="demo-partner")
    approver = ApiKey.objects.select_related("client").get(client__slug="demo-approver")
    assert set(partner.scopes) == set(SCOPES) - {FEES_WAIVE, FEES_EXCLUDE_SERVICE, ACCOUNTS_TERMS}
    assert approver.scopes == [INVOICES_READ, REFUNDS_APPROVE]
    assert (partner.client.all_accounts, approver.client.all_accounts) == (True, True)


def test_the_demo_has_accounts_of_every_method_and_two_that_are_locked() -> None:
    call_command("load_demo", verbosity=0)
    load_demo_records(at=timezone.now())

    assert set(PaymentAccount.objects.values_list("payment_method", flat=True)) >= {
        "PAD",
        "EFT",
        "EJV",
        "ONLINE_BANKING",
        "DIRECT_PAY",
        "DRAWDOWN",
    }
    locked = PaymentAccount.objects.locked_now().order_by("account_number").values_list("account_number", flat=True)
    assert list(locked) == ["1003", "1005"]
    statuses = LedgerIdentity.objects.filter(payment_method="PAD").order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["ACTIVE", "PENDING_PAD_ACTIVATION", "FREEZE"]
    assert Partner.objects.count() == 4
    assert PartnerProduct.objects.count() == 4
    assert AccountFee.objects.get().service_fee_code_id == "TRF02"
    assert PaymentAccount.objects.count() == 12
    assert PaymentAccount.objects.get(account_number="1006").journal_gl is not None


def test_the_page_of_every_demo_account_opens_with_what_it_owes() -> None:
    call_command("load_demo", verbosity=0)
    person = signed_in("administrator")

    pages = {
        account.account_number: person.get(f"/admin/accounts/paymentaccount/{account.pk}/change/")
        for account in PaymentAccount.objects.all()
    }

    assert {page.status_code for page in pages.values()} == {200}
    assert any("Owing together" in page.content.decode() for page in pages.values())
