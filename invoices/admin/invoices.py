"""Invoices: found by what is printed on them, understood on one page, and acted upon by those who may."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.models import PaymentAccount
from invoices.admin.belongings import belongings_of
from invoices.admin.display import (
    CURRENCY,
    ZONE,
    credit_link,
    days_since,
    method_short,
    refund_link,
    said_next,
    short_moment,
    short_money,
    status_badge,
    what_is_charged,
)
from invoices.admin.filters import AccountFilter, AgeFilter, CreatedFilter, MethodFilter, ProductFilter, StatusFilter
from invoices.admin.invoiceactions import InvoiceActions
from invoices.admin.invoicefacts import (
    attempts_table,
    calls_table,
    credits_table,
    facts_of,
    lines_table,
    money_box_of,
    receipts_table,
    references_table,
    refunds_table,
)
from invoices.admin.story import event_steps
from invoices.models import Invoice, InvoiceLine
from invoices.operations.cards import may_pay_by_card
from invoices.operations.standing import next_step_of
from invoices.paylinks import pay_address
from invoices.search import found_by_text
from invoices.states import FINAL_STATUSES, InvoiceStatus
from kernel.adminsite import (
    Facts,
    MoneyBox,
    Panel,
    Related,
    Step,
    list_link,
    record_link,
)
from kernel.audit.querysets import Subject
from kernel.display import NOTHING
from kernel.savedviews.tabs import TEMPLATE as TABS_TEMPLATE
from kernel.savedviews.tabs import SavedViewsChangeList

# What nothing more is expected of does not age.
SETTLED = FINAL_STATUSES | {InvoiceStatus.PAID}


@admin.register(Invoice)
class InvoiceAdmin(InvoiceActions):
    list_display = (
        "id",
        "created",
        "account_shown",
        "product_shown",
        "what",
        "method",
        "state",
        "total_shown",
        "owing_shown",
        "age",
    )
    list_display_links = ("id",)
    list_before_template = TABS_TEMPLATE
    preset_views = (
        ("Open", "status=open", "Money is still expected of the payer"),
        ("Approved for 20 days and more", "status=APPROVED&age=20", "Should have been collected long ago"),
        ("Overdue", "status=OVERDUE", "Past its due date; the account is locked"),
        ("Settlement scheduled", "status=SETTLEMENT_SCHED", "In the ledger, unpaid; returned debits too"),
        ("Refund requested", "status=REFUND_REQUESTED", "All of it is to go back, not confirmed yet"),
    )
    list_filter = (StatusFilter, MethodFilter, AgeFilter, CreatedFilter, ProductFilter, AccountFilter)
    search_fields = ("id",)
    search_help_text = "Whole id, REG number, receipt, business, folio, account or amount (33.08)"
    ordering = ("-created_at", "-id")
    intro = (
        "What every account owes and what became of it, the latest first. Search takes one whole term as it is "
        "printed: an invoice's id, its ledger number, a receipt, a business identifier, a folio, an account number, or "
        "an amount with its cents. Open an invoice to see its story and what you can do."
    )
    empty_text = "No invoice yet. Partners create invoices over the API, and each appears here at once."
    story_empty = "Everything that happens to this invoice will appear here, with who, when and why."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        lines = InvoiceLine.objects.order_by("pk")
        invoices = super().get_queryset(request).select_related("account", "product")
        return invoices.prefetch_related(Prefetch("lines", lines))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SavedViewsChangeList]:
        return SavedViewsChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(pk__in=found_by_text(term).values("pk")) if term else queryset), False

    @display(description=f"Created ({ZONE})")
    def created(self, invoice: Invoice) -> SafeString:
        return short_moment(invoice.created_at)

    @display(description="Product")
    def product_shown(self, invoice: Invoice) -> str:
        return invoice.product_id

    @display(description="Account")
    def account_shown(self, invoice: Invoice) -> str:
        return invoice.account.account_number

    @display(description="What")
    def what(self, invoice: Invoice) -> str:
        return what_is_charged(invoice)

    @display(description="Method")
    def method(self, invoice: Invoice) -> SafeString | str:
        return method_short(invoice.payment_method)

    @display(description="Status")
    def state(self, invoice: Invoice) -> SafeString:
        return status_badge(invoice)

    @display(description=f"Total ({CURRENCY})")
    def total_shown(self, invoice: Invoice) -> SafeString | str:
        return short_money(invoice.total, invoice.currency)

    @display(description="Owing")
    def owing_shown(self, invoice: Invoice) -> SafeString | str:
        return short_money(invoice.owing, invoice.currency) if invoice.owing else NOTHING

    @display(description="Age")
    def age(self, invoice: Invoice) -> str:
        return NOTHING if invoice.status in SETTLED else days_since(invoice.created_at, at=timezone.now())

    def facts(self, record: Invoice) -> Sequence[Facts]:
        return facts_of(record, at=timezone.now())

    def money_box(self, record: Invoice) -> MoneyBox:
        return money_box_of(record)

    def panels(self, request: HttpRequest, record: Invoice) -> Sequence[Panel]:
        return _panels(record)

    def related(self, record: Invoice) -> Sequence[Related]:
        number = record.account.account_number
        found = belongings_of(record)
        applied = sorted({application.credit_id for application in found.applications})
        return [
            Related("Account", [record_link(PaymentAccount, record.account_id, str(record.account))]),
            Related("Other invoices", [list_link(Invoice, f"All of account {number}", {"account": number})]),
            Related("Refunds", [refund_link(refund.pk) for refund in found.refunds]),
            Related("Became credits", [credit_link(credit.pk) for credit in found.credits]),
            Related("Paid by credits", [credit_link(credit_id) for credit_id in applied]),
        ]

    def timeline_subjects(self, record: Invoice) -> Sequence[Subject]:
        return [record, *belongings_of(record).subjects]

    def story(self, record: Invoice) -> list[Step]:
        told = super().story(record)
        return [*told, *event_steps(record.pk, _moments(told))]

    def raw(self, record: Invoice) -> Any:
        columns = {field.attname: getattr(record, field.attname) for field in record._meta.concrete_fields}
        lines = [
            {field.attname: getattr(line, field.attname) for field in line._meta.concrete_fields}
            for line in record.lines.all()
        ]
        return {**columns, "lines": lines}

    def page_context(self, request: HttpRequest, record: Invoice) -> dict[str, Any]:
        context = super().page_context(request, record)
        ends = [*_pay_link(request, record), *belongings_of(record).open_ends]
        context["guidance"] = {"sentence": said_next(next_step_of(record), waits=bool(ends)), "choices": ends}
        return context


def _pay_link(request: HttpRequest, invoice: Invoice) -> list[tuple[SafeString, str]]:
    """What staff may send to a payer who lost the link; the page itself asks for the money."""
    if not may_pay_by_card(invoice):
        return []
    address = pay_address(request, invoice.pk, at=timezone.now())
    link = format_html('<a class="ps-link" href="{}">Payment page</a>', address)
    return [(link, f"Copy this link for the payer; it is good for {settings.PAYMENT_LINK_DAYS} days.")]


def _panels(invoice: Invoice) -> list[Panel]:
    """What belongs to the invoice, as boxes; those of which there is nothing are left out."""
    found = belongings_of(invoice)
    boxes = [
        ("Lines", "lines", lines_table(invoice)),
        ("Receipts", "receipts", receipts_table(invoice, found.applications)),
        ("Refunds", "refunds", refunds_table(found.refunds) if found.refunds else ""),
        ("Credits that came of it", "credits", credits_table(found.credits) if found.credits else ""),
        ("Card payments", "cards", attempts_table(found.attempts, invoice.currency) if found.attempts else ""),
        ("Calls to the outside", "calls", calls_table(found.calls) if found.calls else ""),
        ("Numbers in the external ledger", "references", references_table(invoice)),
    ]
    return [
        Panel(title, content, order=10 + place, anchor=anchor)
        for place, (title, anchor, content) in enumerate(boxes)
        if content
    ]


def _moments(steps: Sequence[Step]) -> list[datetime]:
    return [step.at for step in steps if step.audit_id is not None]
