"""What the page of an account shows of its invoices: what is owing, what is left of its credits, its last refunds."""

from __future__ import annotations

from django.db.models import F, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import PaymentAccount
from accounts.panels import Panel, register_panel
from invoices.admin.display import (
    CREDIT_KINDS,
    CURRENCY,
    OUTCOMES,
    ZERO,
    ZONE,
    credit_link,
    days_since,
    invoice_link,
    method_title,
    refund_badge,
    refund_link,
    short_moment,
    status_badge,
)
from invoices.models import Credit, Invoice, Refund
from invoices.states import OPEN_STATUSES
from kernel.adminsite import list_link, money, table

SHOWN = 10


def register() -> None:
    register_panel(Panel("Open invoices", 12, open_invoices))
    register_panel(Panel("Credits", 14, credits_left))
    register_panel(Panel("Last refunds", 16, last_refunds))


def open_invoices(request: HttpRequest, account: PaymentAccount) -> SafeString:
    """The oldest open ones with what they owe, and what all of them owe together."""
    if not request.user.has_perm("invoices.view_invoice"):
        return SafeString("")
    found = Invoice.objects.filter(account=account, status__in=sorted(OPEN_STATUSES))
    settled = F("paid_amount") + F("refunded_amount") + F("credited_amount") + F("manual_amount")
    owing = found.aggregate(owing=Sum(F("total") - settled))["owing"] or ZERO
    oldest = list(found.order_by("created_at", "pk")[: SHOWN + 1])
    at = timezone.now()
    rows = [
        (
            invoice_link(invoice.pk),
            status_badge(invoice),
            method_title(invoice.payment_method),
            money(invoice.total, invoice.currency),
            money(invoice.owing, invoice.currency),
            days_since(invoice.created_at, at=at),
        )
        for invoice in oldest[:SHOWN]
    ]
    shown = table(
        ("Invoice", "Status", "Method", "Total", "Owing", "Age"), rows, empty="It owes nothing.", figures=(3, 4)
    )
    every = list_link(Invoice, "All its open invoices", {"account": account.account_number, "status": "open"})
    more = format_html("<p><b>Owing together: {} {}</b>. {}</p>", f"{owing:,.2f}", CURRENCY, every) if rows else ""
    others = list_link(Invoice, "All its invoices", {"account": account.account_number})
    return format_html("{}{}<p>{}</p>", more, shown, others)


def credits_left(request: HttpRequest, account: PaymentAccount) -> SafeString:
    """Credits that still hold money, and how much by method."""
    if not request.user.has_perm("invoices.view_credit"):
        return SafeString("")
    found = Credit.objects.with_money_left().filter(account=account)
    by_method = found.values("payment_method").annotate(left=Sum(F("amount") - F("applied_amount")))
    sums = [f"{row['left']:,.2f} {CURRENCY} for {method_title(row['payment_method'])}" for row in by_method]
    rows = [
        (
            credit_link(credit.pk),
            CREDIT_KINDS[credit.kind],
            method_title(credit.payment_method),
            money(credit.amount, credit.currency),
            money(credit.remaining, credit.currency),
            short_moment(credit.created_at),
        )
        for credit in found.order_by("pk")[:SHOWN]
    ]
    shown = table(
        ("Credit", "Why", "Pays invoices by", "Amount", "Left", f"Since ({ZONE})"),
        rows,
        empty="It has no credit.",
        figures=(3, 4),
    )
    together = format_html("<p><b>Left: {}</b></p>", "; ".join(sums)) if sums else ""
    return format_html("{}{}", together, shown)


def last_refunds(request: HttpRequest, account: PaymentAccount) -> SafeString:
    if not request.user.has_perm("invoices.view_refund"):
        return SafeString("")
    refunds = Refund.objects.filter(invoice__account=account).order_by("-pk")[:SHOWN]
    rows = [
        (
            refund_link(refund.pk),
            invoice_link(refund.invoice_id),
            money(refund.amount, refund.currency),
            OUTCOMES[refund.outcome],
            refund_badge(refund),
            short_moment(refund.requested_at),
        )
        for refund in refunds
    ]
    heads = ("Refund", "Invoice", "Amount", "What happens with it", "Status", f"Asked ({ZONE})")
    return table(heads, rows, empty="Nothing was given back to it.", figures=(2,))
