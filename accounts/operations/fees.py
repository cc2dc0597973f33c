"""What one account is charged differently for one product."""

from __future__ import annotations

from datetime import datetime

from accounts.models import AccountFee
from accounts.operations.finding import locked_account, locked_open_account, require_referred
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import NotFound
from kernel.transactions import unit_of_work


class NoSuchAccountFee(NotFound):
    """There is no such fee of an account."""

    code = "unknown-account-fee"


@unit_of_work
def set_account_fee(
    account_id: int,
    *,
    product_code: str,
    applies_filing_fees: bool,
    service_fee_code: str | None,
    actor: Actor,
    reason: str = "",
    at: datetime,
) -> AccountFee:
    """What the account is charged for the product from now on; invoices that exist keep their amounts.

    Without `service_fee_code` the product's own service fee applies. The same again changes nothing. Raises
    NoSuchAccount, AccountClosed or ReferenceUnknown.
    """
    account = locked_open_account(account_id)
    require_referred(AccountFee, "product", product_code)
    if service_fee_code is not None:
        require_referred(AccountFee, "service_fee_code", service_fee_code)
    fee = AccountFee.objects.of(account.pk, product_code)
    before = None if fee is None else _shown(fee)
    fee = fee or AccountFee(account=account, product_id=product_code)
    fee.applies_filing_fees, fee.service_fee_code_id = applies_filing_fees, service_fee_code
    if before == _shown(fee):
        return fee
    fee.save()
    record_entry(
        actor=actor, action="account.fee-set", subject=account, before=before, after=_shown(fee), reason=reason, at=at
    )
    return fee


@unit_of_work
def remove_account_fee(fee_id: int, *, actor: Actor, reason: str, at: datetime) -> None:
    """The account is charged as everybody is for the product from now on. Raises NoSuchAccountFee."""
    account_id = AccountFee.objects.filter(pk=fee_id).values_list("account_id", flat=True).first()
    account = None if account_id is None else locked_account(account_id)
    fee = AccountFee.objects.filter(pk=fee_id).first()
    if account is None or fee is None:
        raise NoSuchAccountFee(f"There is no account fee {fee_id}.")
    before = _shown(fee)
    fee.delete()
    record_entry(actor=actor, action="account.fee-removed", subject=account, before=before, reason=reason, at=at)


def _shown(fee: AccountFee) -> dict[str, object]:
    return {
        "product": fee.product_id,
        "applies_filing_fees": fee.applies_filing_fees,
        "service_fee_code": fee.service_fee_code_id,
    }
