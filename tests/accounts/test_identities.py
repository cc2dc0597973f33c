from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import BankDetails, IllegalIdentityMove, LedgerIdentity
from accounts.operations import (
    BankDetailsMissing,
    BankDetailsUnfit,
    DebitNotDue,
    LockStands,
    NoSuchIdentity,
    TermsAcceptedBefore,
    accept_pad_terms,
    activate_pad,
    freeze_identity,
    lift_lock,
    lock_by_hand,
    record_ledger_numbers,
    reveal_bank_account,
    set_bank_details,
    unfreeze_identity,
)
from kernel.audit.models import AuditEntry
from tests.accounts.payers import ACTOR, AT, BANK_ACCOUNT, DETAILS, a_pad_account, an_account, at_once

pytestmark = pytest.mark.django_db
OTHER = BankDetails("0003", "00120", "99887766")
LATER = AT + timedelta(days=10)


def numbers(identity: LedgerIdentity, **changes: Any) -> LedgerIdentity:
    given = {"party": "P-1", "ledger_account": "L-1", "site": "S-1"} | changes
    return record_ledger_numbers(identity.pk, **given, actor=ACTOR, at=AT)


def test_the_first_bank_details_make_a_pending_identity() -> None:
    account = an_account(method="PAD")

    identity = set_bank_details(account.pk, DETAILS, actor=ACTOR, reason="Form 12", at=AT)

    identity.refresh_from_db()
    assert (identity.payment_method, identity.status, identity.status_since) == ("PAD", "PENDING", AT)
    assert (identity.bank_number, identity.bank_branch_number) == ("001", "00020")
    assert identity.bank_account_number == BANK_ACCOUNT
    entry = AuditEntry.objects.get(action="account.bank-details-set")
    assert entry.before is None
    assert entry.after == {
        "identity": identity.pk,
        "method": "PAD",
        "status": "PENDING",
        "bank_account": "••••667",
    }


def test_other_bank_details_retire_the_old_row_and_keep_what_the_ledger_knows() -> None:
    account, old = a_pad_account()

    new = set_bank_details(account.pk, OTHER, actor=ACTOR, reason="Changed banks", at=LATER)

    old.refresh_from_db()
    assert (old.status, old.status_since, old.bank_account_number) == ("INACTIVE", LATER, BANK_ACCOUNT)
    new.refresh_from_db()
    assert new.pk != old.pk
    assert (new.party, new.ledger_account, new.site, new.contact_party) == ("P-1", "L-1", "S-1", "C-1")
    # The instrument belongs to the old bank account.
    assert (new.payment_instrument_number, new.status) == ("", "PENDING_PAD_ACTIVATION")
    assert new.bank_account_number == OTHER.bank_account_number
    entry: Any = AuditEntry.objects.filter(action="account.bank-details-set").latest("id")
    assert (entry.before["bank_account"], entry.after["bank_account"]) == ("••••667", "•••••766")


def test_other_bank_details_of_a_frozen_account_stay_frozen() -> None:
    account, identity = a_pad_account()
    freeze_identity(identity.pk, actor=ACTOR, reason="Bounced", at=AT)

    new = set_bank_details(account.pk, OTHER, actor=ACTOR, at=LATER)

    assert (new.status, LedgerIdentity.objects.live().get()) == ("FREEZE", new)


def test_the_first_bank_details_of_a_locked_account_are_frozen_too() -> None:
    account = an_account(method="PAD")
    lock_by_hand(account.pk, kind="NSF", cause="Bounced", actor=ACTOR, at=AT)

    assert set_bank_details(account.pk, DETAILS, actor=ACTOR, at=AT).status == "FREEZE"


def test_the_same_bank_details_again_change_nothing() -> None:
    account, identity = a_pad_account()
    told = AuditEntry.objects.count()

    again = set_bank_details(account.pk, DETAILS, actor=ACTOR, at=LATER)

    assert again.pk == identity.pk
    assert (LedgerIdentity.objects.count(), AuditEntry.objects.count()) == (1, told)


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (BankDetails("01", "00020", BANK_ACCOUNT), "bank_number"),
        (BankDetails("001", "020", BANK_ACCOUNT), "bank_branch_number"),
        (BankDetails("001", "00020", "4455"), "bank_account_number"),
        (BankDetails("001", "00020", "4455667\n"), "bank_account_number"),
        (BankDetails("001", "00020", "٤٤٥٥٦٦٧"), "bank_account_number"),
    ],
)
def test_what_is_no_bank_account_is_refused_without_being_repeated(details: BankDetails, field: str) -> None:
    account = an_account(method="PAD")

    with pytest.raises(BankDetailsUnfit) as refusal:
        set_bank_details(account.pk, details, actor=ACTOR, at=AT)

    assert [error.field for error in refusal.value.errors] == [field]
    assert details.bank_account_number not in f"{refusal.value.detail} {refusal.value.errors} {refusal.value.context}"
    assert LedgerIdentity.objects.count() == 0


def test_no_bank_account_number_reaches_the_table_the_audit_the_logs_or_a_repr(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    account, identity = a_pad_account()
    set_bank_details(account.pk, OTHER, actor=ACTOR, reason="Changed banks", at=LATER)
    reveal_bank_account(identity.pk, actor=ACTOR, reason="Asked by the bank", at=LATER)
    with pytest.raises(IntegrityError) as broken, transaction.atomic():
        LedgerIdentity.objects.create(account=account, payment_method="PAD", bank_account_number=BANK_ACCOUNT)

    with connection.cursor() as cursor:
        cursor.execute("select row_to_json(i)::text from ledger_identity i")
        stored = " ".join(row[0] for row in cursor.fetchall())
    told = " ".join(
        f"{entry.before} {entry.after} {entry.reason} {entry.object_label}" for entry in AuditEntry.objects.all()
    )
    shown = " ".join([repr(DETAILS), repr(identity), str(identity), repr(account), repr(LedgerIdentity.objects.all())])
    written = " ".join(
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if "sql" not in record.__dict__
    )

    for number in (BANK_ACCOUNT, OTHER.bank_account_number):
        for place in (stored, told, shown, written, str(broken.value)):
            assert number not in place
    assert stored.count("gAAAA") == 2
    assert "••••667" in told


def test_accepted_terms_start_the_waiting_time() -> None:
    account = an_account(method="PAD")
    set_bank_details(account.pk, DETAILS, actor=ACTOR, at=AT)

    accepted = accept_pad_terms(account.pk, accepted_by="A. Customer", actor=ACTOR, at=AT)
    again = accept_pad_terms(account.pk, accepted_by="A. Customer", actor=ACTOR, at=LATER)

    assert again.pad_terms_accepted_at == AT
    assert accepted.pad_activates_at is not None
    # Monday the 2nd in Vancouver; the 3rd, 4th and 5th go by.
    assert accepted.pad_activates_at.isoformat() == "2026-03-06T00:00:00-08:00"
    assert AuditEntry.objects.filter(action="account.debit-terms-accepted").count() == 1
    with pytest.raises(TermsAcceptedBefore, match=r"A\. Customer accepted"):
        accept_pad_terms(account.pk, accepted_by="B. Customer", actor=ACTOR, at=LATER)


def test_terms_without_bank_details_are_refused() -> None:
    account = an_account(method="PAD")

    with pytest.raises(BankDetailsMissing):
        accept_pad_terms(account.pk, accepted_by="A. Customer", actor=ACTOR, at=AT)

    account.refresh_from_db()
    assert account.pad_terms_accepted_at is None


def test_an_identity_that_the_ledger_knows_waits_for_the_day_and_is_then_active() -> None:
    account, identity = a_pad_account()
    assert identity.status == "PENDING_PAD_ACTIVATION"

    due_at = account.pad_activates_at
    assert due_at is not None
    with pytest.raises(DebitNotDue, match="2026-03-06"):
        activate_pad(account.pk, actor=ACTOR, at=due_at - timedelta(microseconds=1))
    identity.refresh_from_db()
    assert identity.status == "PENDING_PAD_ACTIVATION"

    assert activate_pad(account.pk, actor=ACTOR, at=due_at).status == "ACTIVE"
    activate_pad(account.pk, actor=ACTOR, at=LATER)
    assert AuditEntry.objects.filter(action="account.debits-activated").count() == 1


def test_an_identity_that_the_ledger_does_not_know_is_not_activated() -> None:
    account = an_account(method="PAD")
    identity = set_bank_details(account.pk, DETAILS, actor=ACTOR, at=AT)
    accept_pad_terms(account.pk, accepted_by="A. Customer", actor=ACTOR, at=AT - timedelta(days=30))

    with pytest.raises(DebitNotDue, match="the ledger does not know it"):
        activate_pad(account.pk, actor=ACTOR, at=AT)

    identity.refresh_from_db()
    assert identity.status == "PENDING"


def test_an_identity_whose_day_has_come_is_active_as_soon_as_the_ledger_knows_it() -> None:
    account = an_account(method="PAD")
    identity = set_bank_details(account.pk, DETAILS, actor=ACTOR, at=AT)
    accept_pad_terms(account.pk, accepted_by="A. Customer", actor=ACTOR, at=AT - timedelta(days=30))

    assert numbers(identity).status == "ACTIVE"


def test_an_identity_of_another_method_is_active_as_soon_as_the_ledger_knows_it() -> None:
    account = an_account(method="ONLINE_BANKING")
    identity = LedgerIdentity.objects.create(account=account, payment_method="ONLINE_BANKING", status_since=AT)

    assert numbers(identity).status == "ACTIVE"
    assert numbers(identity, site="S-2").site == "S-2"


def test_a_retired_identity_gets_no_numbers() -> None:
    account, old = a_pad_account()
    set_bank_details(account.pk, OTHER, actor=ACTOR, at=LATER)

    with pytest.raises(IllegalIdentityMove):
        numbers(old, party="P-9")

    old.refresh_from_db()
    assert old.party == "P-1"


def test_a_frozen_identity_is_not_activated_but_unfrozen() -> None:
    account, identity = a_pad_account()
    freeze_identity(identity.pk, actor=ACTOR, reason="Asked by the bank", at=AT)

    with pytest.raises(LockStands):
        activate_pad(account.pk, actor=ACTOR, at=LATER)

    assert unfreeze_identity(identity.pk, actor=ACTOR, reason="Settled", at=LATER).status == "ACTIVE"
    assert list(AuditEntry.objects.filter(action__contains="froz").order_by("id").values_list("action", "reason")) == [
        ("account.debits-frozen", "Asked by the bank"),
        ("account.debits-unfrozen", "Settled"),
    ]


@pytest.mark.parametrize("is_locked", [False, True])
@pytest.mark.parametrize(
    ("is_known", "thawed_after", "status"),
    [
        (True, timedelta(days=1), "PENDING_PAD_ACTIVATION"),
        (True, timedelta(days=10), "ACTIVE"),
        (False, timedelta(days=10), "PENDING"),
    ],
    ids=["its waiting time runs", "its waiting time is over", "the ledger does not know it"],
)
def test_what_was_stopped_goes_on_from_where_it_would_be_by_now(
    is_locked: bool, is_known: bool, thawed_after: timedelta, status: str
) -> None:
    account = an_account(method="PAD")
    identity = set_bank_details(account.pk, DETAILS, actor=ACTOR, at=AT)
    accept_pad_terms(account.pk, accepted_by="A. Customer", actor=ACTOR, at=AT)
    if is_known:
        numbers(identity)
    if is_locked:
        lock = lock_by_hand(account.pk, kind="NSF", cause="Bounced", actor=ACTOR, at=AT).lock
        lift_lock(lock.pk, actor=ACTOR, reason="Paid", at=AT + thawed_after)
    else:
        freeze_identity(identity.pk, actor=ACTOR, reason="Asked by the bank", at=AT)
        unfreeze_identity(identity.pk, actor=ACTOR, reason="Settled", at=AT + thawed_after)

    identity.refresh_from_db()
    assert (identity.status, identity.status_since) == (status, AT + thawed_after)


def test_unfreezing_what_is_not_frozen_changes_nothing_and_shortens_no_waiting_time() -> None:
    account, identity = a_pad_account()

    assert unfreeze_identity(identity.pk, actor=ACTOR, reason="Settled", at=AT).status == "PENDING_PAD_ACTIVATION"
    set_bank_details(account.pk, OTHER, actor=ACTOR, at=LATER)
    with pytest.raises(IllegalIdentityMove):
        unfreeze_identity(identity.pk, actor=ACTOR, reason="Settled", at=LATER)

    assert AuditEntry.objects.filter(action="account.debits-unfrozen").count() == 0


def test_an_identity_stays_frozen_while_the_account_is_locked() -> None:
    account, identity = a_pad_account()
    lock_by_hand(account.pk, kind="NSF", cause="Bounced", actor=ACTOR, at=AT)

    with pytest.raises(LockStands, match=r"locked \(NSF\)"):
        unfreeze_identity(identity.pk, actor=ACTOR, reason="Settled", at=LATER)

    identity.refresh_from_db()
    assert identity.status == "FREEZE"


def test_a_revealed_number_leaves_who_and_why_in_the_audit() -> None:
    account, identity = a_pad_account()

    shown = reveal_bank_account(identity.pk, actor=ACTOR, reason="The bank asked", at=LATER)

    assert shown == BANK_ACCOUNT
    entry = AuditEntry.objects.get(action="account.bank-account-revealed")
    assert (entry.object_id, entry.reason, entry.recorded_at) == (str(account.pk), "The bank asked", LATER)
    assert entry.after == {"identity": identity.pk, "bank_account": "••••667"}


def test_there_is_nothing_to_reveal_without_bank_details() -> None:
    account = an_account(method="ONLINE_BANKING")
    identity = LedgerIdentity.objects.create(account=account, payment_method="ONLINE_BANKING")

    with pytest.raises(BankDetailsMissing):
        reveal_bank_account(identity.pk, actor=ACTOR, reason="Curious", at=AT)
    with pytest.raises(NoSuchIdentity):
        reveal_bank_account(404, actor=ACTOR, reason="Curious", at=AT)

    assert AuditEntry.objects.filter(action="account.bank-account-revealed").count() == 0


def test_the_database_keeps_one_live_identity_a_method_and_whole_bank_details() -> None:
    account, _ = a_pad_account()

    with pytest.raises(IntegrityError, match="ledger_identity_one_live"), transaction.atomic():
        LedgerIdentity.objects.create(account=account, payment_method="PAD")
    with pytest.raises(IntegrityError, match="ledger_identity_bank_details_whole"), transaction.atomic():
        LedgerIdentity.objects.create(account=account, payment_method="EFT", bank_number="001")
    LedgerIdentity.objects.create(account=account, payment_method="PAD", status="INACTIVE")


@pytest.mark.django_db(transaction=True)
def test_of_many_who_set_the_same_bank_details_at_once_one_makes_the_row() -> None:
    account, old = a_pad_account()

    outcomes = at_once(lambda: set_bank_details(account.pk, OTHER, actor=ACTOR, at=LATER))

    assert len({identity.pk for identity in outcomes}) == 1
    assert LedgerIdentity.objects.count() == 2
    assert LedgerIdentity.objects.live().get().pk != old.pk
    assert AuditEntry.objects.filter(action="account.bank-details-set").count() == 2
