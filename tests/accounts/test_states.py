from __future__ import annotations

import pytest

from accounts.models import IllegalIdentityMove, LedgerIdentity
from accounts.models.identities import masked
from accounts.states import (
    FINAL_IDENTITY_STATUSES,
    IDENTITY_MOVES,
    Frequency,
    IdentityStatus,
    Method,
    default_statement_frequency,
)
from tests.accounts.payers import AT

LEGAL = {
    ("PENDING", "PENDING_PAD_ACTIVATION"),
    ("PENDING", "ACTIVE"),
    ("PENDING", "FREEZE"),
    ("PENDING", "INACTIVE"),
    ("PENDING_PAD_ACTIVATION", "ACTIVE"),
    ("PENDING_PAD_ACTIVATION", "FREEZE"),
    ("PENDING_PAD_ACTIVATION", "INACTIVE"),
    ("ACTIVE", "FREEZE"),
    ("ACTIVE", "INACTIVE"),
    ("FREEZE", "PENDING"),
    ("FREEZE", "PENDING_PAD_ACTIVATION"),
    ("FREEZE", "ACTIVE"),
    ("FREEZE", "INACTIVE"),
}


@pytest.mark.parametrize("current", IdentityStatus)
@pytest.mark.parametrize("target", IdentityStatus)
def test_an_identity_moves_as_the_table_says_and_not_otherwise(current: IdentityStatus, target: IdentityStatus) -> None:
    identity = LedgerIdentity(pk=7, status=current.value)

    if (current.value, target.value) in LEGAL:
        identity._move_to(target, at=AT)
        assert (identity.status, identity.status_since) == (target, AT)
        return
    with pytest.raises(IllegalIdentityMove, match=f"7 is {current} and cannot become {target}") as refusal:
        identity._move_to(target, at=AT)
    assert identity.status == current
    assert refusal.value.context["ids"] == [7]


def test_every_status_has_a_line_in_the_table_and_only_inactive_is_final() -> None:
    assert set(IDENTITY_MOVES) == set(IdentityStatus)
    assert frozenset({IdentityStatus.INACTIVE}) == FINAL_IDENTITY_STATUSES


@pytest.mark.parametrize("method", Method)
def test_statements_are_monthly_for_eft_and_weekly_for_all_others(method: Method) -> None:
    assert default_statement_frequency(method) == (Frequency.MONTHLY if method == "EFT" else Frequency.WEEKLY)


@pytest.mark.parametrize(
    ("number", "shown"), [("4455667", "••••667"), ("1234", "•234"), ("123", "•••"), ("7", "•"), ("", "")]
)
def test_a_bank_account_shows_its_last_three_digits_at_the_most(number: str, shown: str) -> None:
    assert masked(number) == shown
