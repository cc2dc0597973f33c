from __future__ import annotations

from typing import Any

import pytest

from accounts.models import AccountFee, PaymentAccount
from accounts.operations import NoSuchAccountFee, ReferenceUnknown, remove_account_fee, set_account_fee
from kernel.audit.models import AuditEntry
from tests.accounts.payers import ACTOR, AT, a_fee_code, a_product, an_account

pytestmark = pytest.mark.django_db


def set_it(account: PaymentAccount, **changes: Any) -> AccountFee:
    given: dict[str, Any] = {"product_code": "BTR", "applies_filing_fees": False, "service_fee_code": "TRF02"} | changes
    return set_account_fee(account.pk, **given, actor=ACTOR, reason="Agreed", at=AT)


@pytest.fixture
def account() -> PaymentAccount:
    a_product("BTR")
    a_fee_code("TRF02")
    return an_account()


def test_what_an_account_is_charged_differently_is_kept_and_audited(account: PaymentAccount) -> None:
    fee = set_it(account)

    found: Any = AccountFee.objects.of(account.pk, "BTR")
    assert found == fee
    assert (found.applies_filing_fees, str(found.service_fee_code.amount)) == (False, "1.00")
    assert AccountFee.objects.of(account.pk, "CSO") is None
    entry = AuditEntry.objects.get(action="account.fee-set")
    assert (entry.before, entry.reason) == (None, "Agreed")
    assert entry.after == {"product": "BTR", "applies_filing_fees": False, "service_fee_code": "TRF02"}


def test_a_second_setting_takes_the_place_of_the_first_and_the_same_again_writes_nothing(
    account: PaymentAccount,
) -> None:
    set_it(account)

    set_it(account, applies_filing_fees=True, service_fee_code=None)
    set_it(account, applies_filing_fees=True, service_fee_code=None)

    fee = AccountFee.objects.get()
    assert (fee.applies_filing_fees, fee.service_fee_code) == (True, None)
    assert AuditEntry.objects.filter(action="account.fee-set").count() == 2


@pytest.mark.parametrize("changes", [{"product_code": "XX"}, {"service_fee_code": "XX"}])
def test_what_the_catalogue_does_not_have_is_refused(account: PaymentAccount, changes: dict[str, str]) -> None:
    with pytest.raises(ReferenceUnknown, match="XX"):
        set_it(account, **changes)

    assert AccountFee.objects.count() == 0


def test_a_removed_fee_leaves_the_usual_one_and_an_entry(account: PaymentAccount) -> None:
    fee = set_it(account)

    remove_account_fee(fee.pk, actor=ACTOR, reason="Contract ended", at=AT)

    assert AccountFee.objects.of(account.pk, "BTR") is None
    entry = AuditEntry.objects.get(action="account.fee-removed")
    assert entry.before == {"product": "BTR", "applies_filing_fees": False, "service_fee_code": "TRF02"}
    with pytest.raises(NoSuchAccountFee):
        remove_account_fee(404, actor=ACTOR, reason="Contract ended", at=AT)
