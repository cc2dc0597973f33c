"""Which methods partners may name. What settles itself by a receipt of ours is for systems of our own."""

from __future__ import annotations

from accounts.models import ApiKey
from accounts.scopes import FEES_WAIVE
from invoices.states import MethodCode
from kernel.errors import FieldError, Forbidden

OURS_ALONE = frozenset({MethodCode.INTERNAL.value})


class MethodNotForPartners(Forbidden):
    """This method is for staff and systems of our own."""

    code = "method-not-for-partners"
    title = "Method not for partners"
    next_step = "Leave paymentInfo.methodOfPayment out, or name one of the account's methods."


def require_method_for_partners(key: ApiKey, method: str) -> None:
    """Raises MethodNotForPartners: an INTERNAL invoice is paid as soon as it is made, and nobody is asked for money."""
    if method in OURS_ALONE and FEES_WAIVE not in key.scopes:
        message = f"{method} is for systems of our own, which have the scope {FEES_WAIVE}."
        errors = (FieldError("paymentInfo.methodOfPayment", MethodNotForPartners.code, message),)
        raise MethodNotForPartners(message, errors=errors)
