"""Credits: what we owe accounts, where it came from, and which invoices it has paid. Evidence, changed by nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.models import PaymentAccount
from invoices.admin.display import CREDIT_KINDS, ZONE, invoice_link, method_title, refund_link, short_moment
from invoices.admin.filters import AccountFilter, LeftFilter
from invoices.models import Credit, Refund
from kernel.adminsite import (
    Facts,
    MoneyBox,
    MoneyLine,
    Panel,
    RecordAdmin,
    Related,
    badge,
    moment,
    money,
    record_link,
    table,
)

LONGEST_ID = 18
APPLICATIONS_SHOWN = 200


@admin.register(Credit)
class CreditAdmin(RecordAdmin):
    list_display = ("id", "created", "account_shown", "method", "kind_shown", "amount_shown", "left_shown", "source")
    list_display_links = ("id",)
    list_filter = (LeftFilter, AccountFilter)
    search_fields = ("id",)
    search_help_text = "Whole credit id, or the ledger's number of it"
    ordering = ("-id",)
    intro = (
        "Money that we owe accounts, the newest first. A credit pays later invoices of its account and method, the "
        "oldest credit first: open such an invoice and choose to pay it from the account's credit."
    )
    empty_text = "No credit yet. One appears when a refund cannot go back the way it came, or when too much is paid."
    story_empty = "What is applied and given back will appear here, with who and why."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("account")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(ledger_identifier=term)
        if term.isdecimal() and term.isascii() and len(term) <= LONGEST_ID:
            wanted |= Q(pk=int(term))
        return queryset.filter(wanted), False

    @display(description=f"Since ({ZONE})")
    def created(self, credit: Credit) -> SafeString:
        return short_moment(credit.created_at)

    @display(description="Account")
    def account_shown(self, credit: Credit) -> str:
        return credit.account.account_number

    @display(description="Pays invoices by")
    def method(self, credit: Credit) -> str:
        return method_title(credit.payment_method)

    @display(description="Why")
    def kind_shown(self, credit: Credit) -> str:
        return CREDIT_KINDS[credit.kind]

    @display(description="Amount")
    def amount_shown(self, credit: Credit) -> SafeString | str:
        return money(credit.amount, credit.currency)

    @display(description="Left")
    def left_shown(self, credit: Credit) -> SafeString | str:
        return money(credit.remaining, credit.currency) if credit.remaining else badge("Used up", "plain")

    @display(description="Comes from")
    def source(self, credit: Credit) -> SafeString | str:
        return invoice_link(credit.source_invoice_id)

    def facts(self, record: Credit) -> Sequence[Facts]:
        ledger = [("In the ledger", record.ledger_identifier)] if record.ledger_identifier else []
        site = [("Ledger site", record.ledger_site)] if record.ledger_site else []
        return [
            Facts(
                "Credit",
                [
                    ("Account", record_link(PaymentAccount, record.account_id, str(record.account))),
                    ("Pays invoices by", method_title(record.payment_method)),
                    ("Why", CREDIT_KINDS[record.kind]),
                    ("In words", record.details),
                    ("Since", moment(record.created_at)),
                    *ledger,
                    *site,
                ],
            )
        ]

    def money_box(self, record: Credit) -> MoneyBox:
        lines = [
            MoneyLine("Amount", record.amount),
            MoneyLine("Applied to invoices", record.applied_amount),
            MoneyLine("Left", record.remaining, is_sum=True),
        ]
        return MoneyBox(lines, record.currency)

    def panels(self, request: HttpRequest, record: Credit) -> Sequence[Panel]:
        applications = list(record.applications.order_by("-pk")[:APPLICATIONS_SHOWN])
        reversed_ones = {application.reverses_id for application in applications}
        rows = [
            (
                invoice_link(application.invoice_id),
                money(-application.amount if application.reverses_id else application.amount, record.currency),
                moment(application.applied_at),
                application.applied_by,
                _state_of(application, reversed_ones),
            )
            for application in applications
        ]
        shown = table(
            ("Invoice", "Amount", "Applied", "By", "State"),
            rows,
            empty="It has paid no invoice yet.",
            figures=(1,),
        )
        return [Panel("Invoices that it has paid", shown, order=10, anchor="applications")]

    def related(self, record: Credit) -> Sequence[Related]:
        refund = Refund.objects.filter(credit=record).values_list("pk", flat=True).first()
        source = record.source_invoice_id
        return [
            Related("Account", [record_link(PaymentAccount, record.account_id, str(record.account))]),
            Related("Comes from", [invoice_link(source)] if source else []),
            Related("By refund", [refund_link(refund)] if refund else []),
        ]


def _state_of(application: Any, reversed_ones: set[int | None]) -> SafeString:
    if application.reverses_id:
        return badge("Given back to the credit", "plain")
    return badge("Taken back", "plain") if application.pk in reversed_ones else badge("Counts", "good")
