"""What the bearer of an API key may reach: which accounts, and which products."""

from __future__ import annotations

from accounts.models import ApiKey, PaymentAccount
from accounts.querysets import PaymentAccountQuerySet
from kernel.errors import Forbidden, NotFound


class AccountUnknown(NotFound):
    """There is no such account, or this key may not see it."""

    code = "account-unknown"
    title = "Account unknown"
    next_step = "Check the account number, and ask an administrator whether your client may use the account."


class ProductNotPermitted(Forbidden):
    """This key may not be used for the product."""

    code = "product-not-permitted"
    title = "Product not permitted"
    next_step = "Ask an administrator to add the product to your client."


def account_for(key: ApiKey, account_number: str) -> PaymentAccount:
    """The account of this number, in one query. Raises AccountUnknown, also where the key may not see it.

    The answer is the same in both cases, so that nobody learns which numbers exist.
    """
    reachable = accounts_of(key)
    among = PaymentAccount.objects.all() if reachable is None else reachable
    account = among.filter(account_number=account_number).first()
    if account is None:
        raise AccountUnknown(f"There is no account {account_number}.", account_number=account_number)
    return account


def accounts_of(key: ApiKey) -> PaymentAccountQuerySet | None:
    """The accounts that the key may see; None when it may see all, so that the caller leaves the filter out."""
    if key.client.all_accounts:
        return None
    return PaymentAccount.objects.filter(api_clients=key.client_id)


def require_product(key: ApiKey, product_code: str) -> None:
    """Raises ProductNotPermitted when the key may not be used for the product."""
    permitted = products_of(key)
    if permitted is not None and product_code not in permitted:
        raise ProductNotPermitted(f"This key may not be used for {product_code}.", product=product_code)


def products_of(key: ApiKey) -> frozenset[str] | None:
    """The codes of the products that the key may be used for; None when for all."""
    if key.client.all_products:
        return None
    return frozenset(key.client.products.values_list("code", flat=True))
