"""What is said to the outside: card payments and calls, those first whose outcome nobody knows yet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.models import PaymentAccount
from invoices.admin.display import (
    ATTEMPT_STATUSES,
    CALL_KINDS,
    CALL_STATUSES,
    ZONE,
    invoice_link,
    refund_link,
    short_moment,
    status_badge,
)
from invoices.admin.filters import AttemptStatusFilter, CallKindFilter, CallStatusFilter
from invoices.gateways import GatewayRefused
from invoices.models import CardAttempt, OutsideCall
from invoices.operations.calling import sweep_call
from invoices.operations.cards import check_attempt
from invoices.search import found_by_text
from invoices.states import UNFINISHED_CALLS, AttemptStatus
from kernel.adminsite import (
    Confirmation,
    Facts,
    RecordAdmin,
    Related,
    badge,
    confirmed_action,
    length,
    moment,
    moment_column,
    money,
    record_link,
)
from kernel.display import NOTHING


class OutsideAdmin(RecordAdmin):
    """Rows that belong to an invoice and are keyed by a UUID."""

    list_display_links = ("started",)
    search_fields = ("id",)
    search_help_text = "Whole id, or anything by which an invoice is found"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("invoice__account")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(invoice__in=found_by_text(term).values("pk"))
        with suppress(ValueError):
            wanted |= Q(pk=UUID(term))
        return queryset.filter(wanted), False

    @display(description="Invoice")
    def invoice_shown(self, record: Any) -> SafeString | str:
        return invoice_link(record.invoice_id)

    @display(description="Account")
    def account(self, record: Any) -> str:
        return str(record.invoice.account.account_number)

    def related(self, record: Any) -> Sequence[Related]:
        account = record.invoice.account
        return [
            Related("Invoice", [invoice_link(record.invoice_id)]),
            Related("Account", [record_link(PaymentAccount, account.pk, str(account))]),
        ]


@admin.register(CardAttempt)
class CardAttemptAdmin(OutsideAdmin):
    list_display = ("started", "invoice_shown", "account", "amount_shown", "state", "waits", "checked")
    list_filter = (AttemptStatusFilter,)
    ordering = ("-started_at",)
    intro = (
        "Visits of payers to the card gateway's page. The list opens with those of which nobody knows yet whether they "
        "paid: the gateway is asked by itself half an hour later and then every ten minutes, or now, by you."
    )
    empty_text = "No card payment is without an outcome."
    story_empty = "What staff ask the gateway appears in the story of the invoice."
    actions_detail = ("ask",)
    checked = moment_column("checked_at", "Gateway last asked")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        found = self.get_object(request, str(object_id))
        is_open = found is not None and found.status != AttemptStatus.COMPLETED
        return super().get_actions_detail(request, object_id) if is_open else []

    @display(description=f"Started ({ZONE})")
    def started(self, attempt: CardAttempt) -> SafeString:
        return short_moment(attempt.started_at)

    @display(description="Amount")
    def amount_shown(self, attempt: CardAttempt) -> SafeString | str:
        return money(attempt.amount, attempt.invoice.currency)

    @display(description="Status")
    def state(self, attempt: CardAttempt) -> SafeString:
        return badge(*ATTEMPT_STATUSES[attempt.status])

    @display(description="Waits")
    def waits(self, attempt: CardAttempt) -> str:
        is_open = attempt.status == AttemptStatus.CREATED
        return length(timezone.now() - attempt.started_at) if is_open else NOTHING

    def facts(self, record: CardAttempt) -> Sequence[Facts]:
        return [
            Facts(
                "Card payment",
                [
                    ("Status", self.state(record)),
                    ("Amount", self.amount_shown(record)),
                    ("Invoice", invoice_link(record.invoice_id)),
                    ("The invoice is", status_badge(record.invoice)),
                    ("What the gateway said", record.reason_code),
                ],
            ),
            Facts(
                "When",
                [
                    ("Started", moment(record.started_at)),
                    ("Ended", moment(record.ended_at)),
                    ("Gateway last asked", moment(record.checked_at)),
                ],
            ),
            Facts("Where the payer goes back to", [("Address", record.client_url)]),
        ]

    def raw(self, record: CardAttempt) -> Any:
        # The link itself stays out: whoever has it can open the payer's page.
        shown = ("id", "status", "response", "reason_code", "client_url", "started_at", "ended_at", "checked_at")
        return {name: getattr(record, name) for name in shown}

    @confirmed_action(
        description="Ask the gateway",
        permission="invoices.ask_outside",
        effect="The card gateway is asked whether this was paid, and what it says is noted. If it was, the invoice is "
        "paid.",
        asks_reason=False,
        icon="contact_support",
    )
    def ask(self, request: HttpRequest, attempt: CardAttempt, confirmation: Confirmation) -> str:
        outcome = check_attempt(attempt.pk, actor=confirmation.actor, clock=timezone.now)
        words, _ = ATTEMPT_STATUSES[outcome.attempt.status]
        return f"The gateway's word is noted: {words.lower()}. {outcome.invoice} is {outcome.invoice.status}."


@admin.register(OutsideCall)
class OutsideCallAdmin(OutsideAdmin):
    list_display = (
        "started",
        "kind_shown",
        "invoice_shown",
        "account",
        "state",
        "waits",
        "attempts",
        "next_try",
        "said",
    )
    list_filter = (CallStatusFilter, CallKindFilter)
    ordering = ("-created_at",)
    intro = (
        "Calls that move money outside: debits of prepaid accounts and refunds to cards. The list opens with those "
        "whose outcome nobody knows yet; each is asked about by itself, and never done twice."
    )
    empty_text = "Every call to the outside has an outcome."
    story_empty = "What came of the call appears in the story of the invoice."
    actions_detail = ("ask",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("refund")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        found = self.get_object(request, str(object_id))
        is_open = found is not None and found.status in UNFINISHED_CALLS
        return super().get_actions_detail(request, object_id) if is_open else []

    @display(description=f"Made ({ZONE})")
    def started(self, call: OutsideCall) -> SafeString:
        return short_moment(call.created_at)

    @display(description="What")
    def kind_shown(self, call: OutsideCall) -> str:
        return CALL_KINDS[call.kind]

    @display(description="Status")
    def state(self, call: OutsideCall) -> SafeString:
        return badge(*CALL_STATUSES[call.status])

    @display(description="Waits")
    def waits(self, call: OutsideCall) -> str:
        return length(timezone.now() - call.created_at) if call.status in UNFINISHED_CALLS else NOTHING

    @display(description="Next try")
    def next_try(self, call: OutsideCall) -> SafeString | str:
        return moment(call.next_attempt_at) if call.status in UNFINISHED_CALLS else NOTHING

    @display(description="What was said")
    def said(self, call: OutsideCall) -> SafeString:
        return format_html('<div class="ps-stacked ps-wrap">{}</div>', _what_was_said(call))

    def facts(self, record: OutsideCall) -> Sequence[Facts]:
        return [
            Facts(
                CALL_KINDS[record.kind],
                [
                    ("Status", self.state(record)),
                    ("Amount", f"{record.request.get('amount', NOTHING)} {record.invoice.currency}"),
                    ("Invoice", invoice_link(record.invoice_id)),
                    ("The invoice is", status_badge(record.invoice)),
                    ("What was said", _what_was_said(record)),
                ],
            ),
            Facts(
                "When",
                [
                    ("Made", moment(record.created_at)),
                    ("Tries", str(record.attempts)),
                    ("Next try", self.next_try(record)),
                    ("In this status since", moment(record.status_since)),
                ],
            ),
        ]

    def related(self, record: OutsideCall) -> Sequence[Related]:
        refund = [refund_link(record.refund_id)] if record.refund_id else []
        return [*super().related(record), Related("Refund", refund)]

    def raw(self, record: OutsideCall) -> Any:
        return {"key": record.pk, "request": record.request, "answer": record.answer}

    @confirmed_action(
        description="Ask what became of it",
        permission="invoices.ask_outside",
        effect="The other side is asked whether it has done this, and what it says is noted. A debit is not sent "
        "again; a refund that it does not know is told again, and done once by its key.",
        asks_reason=False,
        icon="contact_support",
    )
    def ask(self, request: HttpRequest, call: OutsideCall, confirmation: Confirmation) -> str:
        try:
            asked = sweep_call(call.pk, actor=confirmation.actor, clock=timezone.now)
        except GatewayRefused as refusal:
            return f"The other side refused it: {refusal.detail}"
        return f"Noted: {CALL_STATUSES[asked.status][0].lower()}."


def _what_was_said(call: OutsideCall) -> str:
    return call.error_detail or call.error_code or NOTHING
