"""Which methods partners may name. What settles itself by a receipt of ours is for systems of our own."""

from __future__ import annotations

from accounts.models import ApiKey
from accounts.scopes import FEES_WAIVE
from invoices.states import MethodCode
from kernel.errors import FieldError, Forbidden

OURS_ALONE = frozenset({MethodCode.INTERNAL.value})
# Only what the external ledger has already is paid so: a bounced debit, or an invoice whose payer changed their mind.
NEVER_ORDERED = frozenset({MethodCode.CC.value})


class MethodNotForPartners(Forbidden):
    """This method is not for orders of partners."""

    code = "method-not-for-partners"
    title = "Method not for partners"
    next_step = "Leave paymentInfo.methodOfPayment out, or name one of the account's methods."


def require_method_for_partners(key: ApiKey, method: str) -> None:
    """Raises MethodNotForPartners: an INTERNAL invoice is paid as soon as it is made, and nobody is asked for money."""
    if method in OURS_ALONE and FEES_WAIVE not in key.scopes:
        raise _refusal(f"{method} is for systems of our own, which have the scope {FEES_WAIVE}.")
    if method in NEVER_ORDERED:
        raise _refusal(f"{method} is for invoices that the external ledger has already; order by DIRECT_PAY.")


def _refusal(message: str) -> MethodNotForPartners:
    errors = (FieldError("paymentInfo.methodOfPayment", MethodNotForPartners.code, message),)
    return MethodNotForPartners(message, errors=errors)
