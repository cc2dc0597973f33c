"""Who calls, and which accounts and invoices they may see. What they may not see does not exist for them."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.access import account_for, accounts_of
from accounts.models import ApiKey, PaymentAccount
from accounts.scopes import FEES_EXCLUDE_SERVICE, FEES_WAIVE
from catalogue.quote import Caller
from invoices.models import Invoice, Refund
from invoices.operations.refunding import NoSuchRefund
from invoices.operations.standing import NoSuchInvoice, lock_invoice
from invoices.querysets import InvoiceQuerySet, RefundQuerySet
from kernel.audit.actors import Actor
from kernel.errors import FieldError, Refused
from kernel.transactions import inside_unit_of_work

ACCOUNT_HEADER = "Account-Id"
ACCOUNT_FIELD = "accountInfo.accountNumber"


class AccountNumberMissing(Refused):
    """Which account pays is not said."""

    code = "account-number-missing"
    title = "Account number missing"
    next_step = "Send accountInfo.accountNumber, or the header Account-Id."


class AccountNumbersDiffer(Refused):
    """The body and the header name two accounts."""

    code = "account-numbers-differ"
    title = "Two account numbers"
    next_step = "Name one account, in accountInfo.accountNumber or in the header Account-Id."


def key_of(request: Request) -> ApiKey:
    """The key that the request came with."""
    key: ApiKey = request.auth  # type: ignore[assignment]
    return key


def actor_of(request: Request) -> Actor:
    """The API client, for the audit."""
    return Actor.api_client(key_of(request).client.slug)


def caller_of(key: ApiKey) -> Caller:
    """What the key's scopes allow about fees."""
    return Caller(excludes_service_fee=FEES_EXCLUDE_SERVICE in key.scopes, may_waive=FEES_WAIVE in key.scopes)


def account_named(request: Request, number: str = "", *, field: str = ACCOUNT_FIELD) -> PaymentAccount | None:
    """The account of `number` or of the header Account-Id; None when neither is there.

    Raises AccountNumbersDiffer, and AccountUnknown (404) also for accounts of others.
    """
    header = request.headers.get(ACCOUNT_HEADER, "").strip()
    if header and number and header != number:
        message = f"{field} is {number}, and {ACCOUNT_HEADER} is another account."
        raise AccountNumbersDiffer(message, errors=(FieldError(field, AccountNumbersDiffer.code, message),))
    named = number or header
    return account_for(key_of(request), named) if named else None


def paying_account(request: Request, number: str) -> PaymentAccount:
    """As account_named, for an order. Raises AccountNumberMissing too."""
    account = account_named(request, number)
    if account is None:
        raise AccountNumberMissing(errors=(FieldError(ACCOUNT_FIELD, "required", AccountNumberMissing.next_step),))
    return account


def invoices_of(key: ApiKey) -> InvoiceQuerySet:
    """The invoices of the accounts and products that the key may see."""
    found = Invoice.objects.all()
    accounts = accounts_of(key)
    if accounts is not None:
        found = found.filter(account__in=accounts)
    if not key.client.all_products:
        found = found.filter(product__in=key.client.products.all())
    return found


def refunds_of(key: ApiKey) -> RefundQuerySet:
    """The refunds of these invoices."""
    found = Refund.objects.all()
    accounts = accounts_of(key)
    if accounts is not None:
        found = found.filter(invoice__account__in=accounts)
    if not key.client.all_products:
        found = found.filter(invoice__product__in=key.client.products.all())
    return found


def require_invoice(key: ApiKey, invoice_id: int) -> None:
    """Raises NoSuchInvoice (404) when there is none of this id that the key may see."""
    if not invoices_of(key).filter(pk=invoice_id).exists():
        raise NoSuchInvoice(f"There is no invoice {invoice_id}.")


def require_refund(key: ApiKey, refund_id: int) -> None:
    """Raises NoSuchRefund (404) when there is none of this id that the key may see."""
    if not refunds_of(key).filter(pk=refund_id).exists():
        raise NoSuchRefund(f"There is no refund {refund_id}.")


@inside_unit_of_work
def locked_invoice(key: ApiKey, invoice_id: int) -> Invoice:
    """The invoice, locked for a write. Raises NoSuchInvoice (404) as require_invoice does."""
    require_invoice(key, invoice_id)
    return lock_invoice(invoice_id)
