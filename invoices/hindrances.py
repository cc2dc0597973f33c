"""What of an account's invoices and credits stands in the way of closing it (domain.md 12 and 14)."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Sum

from accounts.models import PaymentAccount
from invoices.models import Credit, Invoice
from invoices.states import OPEN_STATUSES, InvoiceStatus
from kernel.calendar import add_business_days, business_date, business_day_bounds

# After its last invoice an account stays open for so many business days: money may come back until then.
QUIET_BUSINESS_DAYS = 10
UNFINISHED = sorted({*OPEN_STATUSES, InvoiceStatus.REFUND_REQUESTED, InvoiceStatus.DELETE_ACCEPTED})
MOST_COUNTED = 1000


def of_invoices_and_credits(account: PaymentAccount, at: datetime) -> list[str]:
    """A sentence each for invoices that are not finished, credits that are left, and invoices made lately."""
    return [*_unfinished(account), *_credits(account), *_lately(account, at)]


def _unfinished(account: PaymentAccount) -> list[str]:
    found = len(Invoice.objects.filter(account=account, status__in=UNFINISHED)[:MOST_COUNTED])
    if not found:
        return []
    shown = f"{found:,} or more" if found == MOST_COUNTED else f"{found:,}"
    return [f"Invoices that are not finished: {shown}."]


def _credits(account: PaymentAccount) -> list[str]:
    left = (
        Credit.objects.with_money_left().filter(account=account).aggregate(sum=Sum(F("amount") - F("applied_amount")))
    )
    return [f"Credits of {left['sum']} are left on it."] if left["sum"] else []


def _lately(account: PaymentAccount, at: datetime) -> list[str]:
    since = business_day_bounds(add_business_days(business_date(at), -QUIET_BUSINESS_DAYS)).start_at
    if not Invoice.objects.filter(account=account, created_at__gte=since).exists():
        return []
    return [f"Invoices were made for it within the last {QUIET_BUSINESS_DAYS} business days."]
