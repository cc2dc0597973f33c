"""Refunds: what was asked for, who agreed, where the money went, and what still waits for the outside's word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.models import PaymentAccount
from invoices.admin.display import (
    CALL_KINDS,
    CURRENCY,
    FEE_TYPES,
    OUTCOMES,
    ZONE,
    credit_link,
    days_since,
    invoice_link,
    method_title,
    refund_badge,
    said_next,
    short_moment,
    short_money,
)
from invoices.admin.filters import OutcomeFilter, RefundAccountFilter, RefundAgeFilter, RefundStatusFilter
from invoices.forms import ConfirmedForm, RefusedForm
from invoices.models import Invoice, OutsideCall, Refund
from invoices.operations.calling import ask_about_refund
from invoices.operations.refunding import finish_refund, refuse_refund
from invoices.search import found_by_text
from invoices.states import UNDER_WAY_REFUNDS, CallStatus, RefundOutcome, RefundStatus
from kernel.adminsite import (
    Confirmation,
    Facts,
    MoneyBox,
    MoneyLine,
    Panel,
    RecordAdmin,
    Related,
    badge,
    confirmed_action,
    moment,
    money,
    record_link,
    table,
)
from kernel.approvals.models import ApprovalRequest
from kernel.audit.querysets import Subject
from kernel.display import NOTHING

LONGEST_ID = 18


@admin.register(Refund)
class RefundAdmin(RecordAdmin):
    list_display = (
        "id",
        "requested",
        "invoice_shown",
        "account",
        "amount_shown",
        "outcome_shown",
        "state",
        "age",
        "asker",
    )
    list_display_links = ("id",)
    list_filter = (RefundStatusFilter, OutcomeFilter, RefundAgeFilter, RefundAccountFilter)
    search_fields = ("id",)
    search_help_text = "Whole refund id, or anything by which an invoice is found"
    ordering = ("-requested_at", "-id")
    intro = (
        "Money that goes back, the latest asked for first. What waits for a second person is decided in the approvals; "
        "what is on its way waits for the outside's word, and staff can record it with its evidence."
    )
    empty_text = (
        "Nobody has asked for a refund yet. Open an invoice and choose Refund, or let a partner ask by the API."
    )
    story_empty = "Asking, deciding and what the outside says appear here, with who and why."
    actions_detail = ("confirm", "refuse", "ask_gateway")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("invoice__account", "invoice__product", "outside_call")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(invoice__in=found_by_text(term).values("pk"))
        if term.isdecimal() and term.isascii() and len(term) <= LONGEST_ID:
            wanted |= Q(pk=int(term))
        return queryset.filter(wanted), False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions = super().get_actions_detail(request, object_id)
        refund = self.get_object(request, str(object_id))
        possible = set() if refund is None else possible_for(refund)
        return [action for action in actions if action.method.original_function_name in possible]

    @display(description=f"Asked ({ZONE})")
    def requested(self, refund: Refund) -> SafeString:
        return short_moment(refund.requested_at)

    @display(description="Invoice")
    def invoice_shown(self, refund: Refund) -> SafeString | str:
        return record_link(Invoice, refund.invoice_id, str(refund.invoice_id))

    @display(description="Account")
    def account(self, refund: Refund) -> str:
        return refund.invoice.account.account_number

    @display(description=f"Amount ({CURRENCY})")
    def amount_shown(self, refund: Refund) -> SafeString | str:
        return short_money(refund.amount, refund.currency)

    @display(description="What happens with it")
    def outcome_shown(self, refund: Refund) -> str:
        return OUTCOMES[refund.outcome]

    @display(description="Status")
    def state(self, refund: Refund) -> SafeString:
        return refund_badge(refund)

    @display(description="Age")
    def age(self, refund: Refund) -> str:
        waits = refund.status in UNDER_WAY_REFUNDS
        return days_since(refund.requested_at, at=timezone.now()) if waits else NOTHING

    @display(description="Asked by")
    def asker(self, refund: Refund) -> str:
        return refund.requested_by

    def facts(self, record: Refund) -> Sequence[Facts]:
        asked = [
            ("Asked by", record.requested_by),
            ("Asked", moment(record.requested_at)),
            ("Reason", record.reason),
            *_present(("Comment", record.staff_comment), ("E-mail address", record.notification_email)),
        ]
        groups = [
            Facts(
                "Refund",
                [
                    ("Status", refund_badge(record)),
                    ("What happens with it", OUTCOMES[record.outcome]),
                    ("Invoice", invoice_link(record.invoice_id)),
                    ("Method", method_title(record.invoice.payment_method)),
                    ("All of the invoice", "Yes" if record.is_full else "No, a part"),
                    ("In this status since", moment(record.status_since)),
                ],
            ),
            Facts("Who asked and why", asked),
        ]
        if record.needs_approval or record.decided_by:
            groups.append(Facts("Second person", _decision(record)))
        booked = moment(record.gl_posted_at) if record.gl_posted_at else ""
        outside = _present(
            ("Evidence", record.evidence), ("Booked by the gateway", booked), ("What the outside said", record.gl_error)
        )
        if record.finished_at or outside:
            groups.append(Facts("How it ended", [("Done", moment(record.finished_at)), *outside]))
        return groups

    def money_box(self, record: Refund) -> MoneyBox:
        invoice = record.invoice
        lines = [MoneyLine("Total of the invoice", invoice.total), MoneyLine("This refund", record.amount, is_sum=True)]
        return MoneyBox(lines, record.currency)

    def panels(self, request: HttpRequest, record: Refund) -> Sequence[Panel]:
        return [Panel("What goes back", parts_table(record), order=10, anchor="parts")]

    def related(self, record: Refund) -> Sequence[Related]:
        account = record.invoice.account
        call = getattr(record, "outside_call", None)
        approval, credit = record.approval_id, record.credit_id
        return [
            Related("Invoice", [invoice_link(record.invoice_id)]),
            Related("Account", [record_link(PaymentAccount, account.pk, str(account))]),
            Related("Approval", [record_link(ApprovalRequest, approval, f"Request {approval}")] if approval else []),
            Related("Credit", [credit_link(credit)] if credit else []),
            Related("Said to the gateway", [record_link(OutsideCall, call.pk, CALL_KINDS[call.kind])] if call else []),
        ]

    def timeline_subjects(self, record: Refund) -> Sequence[Subject]:
        subjects: list[Subject] = [record]
        if record.approval_id is not None:
            subjects.append((ApprovalRequest._meta.label_lower, str(record.approval_id)))
        if record.credit_id is not None:
            subjects.append(("invoices.credit", str(record.credit_id)))
        return subjects

    def raw(self, record: Refund) -> Any:
        return {field.attname: getattr(record, field.attname) for field in record._meta.concrete_fields}

    def page_context(self, request: HttpRequest, record: Refund) -> dict[str, Any]:
        context = super().page_context(request, record)
        context["guidance"] = {"sentence": said_next(next_of(record)), "choices": _where_to_go(record)}
        return context

    @confirmed_action(
        description="Record that it went back",
        permission="invoices.confirm_refund",
        effect=lambda refund: (
            f"{refund.amount} {refund.currency} count as given back, by the evidence that you give. The invoice moves "
            "on, and other systems are told. It cannot be taken back."
        ),
        asks_reason=False,
        form=ConfirmedForm,
        icon="task_alt",
    )
    def confirm(self, request: HttpRequest, refund: Refund, confirmation: Confirmation) -> str:
        finish_refund(
            refund.pk,
            evidence=confirmation.answers["evidence"],
            final_at=confirmation.answers["final_on"],
            actor=confirmation.actor,
            at=confirmation.at,
        )
        return f"{refund.amount} {refund.currency} are given back."

    @confirmed_action(
        description="Record that it was refused",
        permission="invoices.confirm_refund",
        effect="Nothing goes back: the invoice is as it was before, and a refund may be asked for again.",
        asks_reason=False,
        form=RefusedForm,
        icon="block",
    )
    def refuse(self, request: HttpRequest, refund: Refund, confirmation: Confirmation) -> str:
        refuse_refund(refund.pk, error=confirmation.answers["error"], actor=confirmation.actor, at=confirmation.at)
        return "The refund is refused; the invoice is as before."

    @confirmed_action(
        description="Ask the card gateway",
        permission="invoices.ask_outside",
        effect="The gateway is asked what became of it, and told of it again where it does not know it: by its key it "
        "gives the money back once, however often it is told.",
        asks_reason=False,
        icon="contact_support",
    )
    def ask_gateway(self, request: HttpRequest, refund: Refund, confirmation: Confirmation) -> str:
        told = ask_about_refund(refund.pk, actor=confirmation.actor, clock=timezone.now)
        if told.status == RefundStatus.PROCESSING:
            return "The gateway has it, and has not given the money back yet."
        return f"The gateway's word is noted: the refund is {told.status.lower()}."


def possible_for(refund: Refund) -> set[str]:
    """Names of the actions that are legal now. What the card gateway does, the gateway confirms; staff ask it."""
    if refund.status != RefundStatus.PROCESSING:
        return set()
    call = getattr(refund, "outside_call", None)
    return {"confirm", "refuse"} if call is None else {"ask_gateway"}


def next_of(refund: Refund) -> str:
    """What happens next with the refund, in a sentence."""
    call = getattr(refund, "outside_call", None)
    if refund.status == RefundStatus.PENDING_APPROVAL:
        return "A second person must agree; nothing moves before."
    if refund.status == RefundStatus.PROCESSING and call is None:
        return "Whoever gives the money back must confirm it; then record that here with its evidence."
    if refund.status == RefundStatus.PROCESSING and call is not None and call.status == CallStatus.SUCCEEDED:
        return "The card gateway has it and gives the money back; it is asked every few minutes."
    if refund.status == RefundStatus.PROCESSING:
        return "The card gateway has not answered yet; it is told again by itself until it does."
    if refund.status == RefundStatus.PROCESSED and refund.gl_error:
        return (
            "The payer has the money, but the card gateway rejected a revenue line of it when it booked it: finance "
            "corrects that with the gateway. What it said stands under “How it ended”."
        )
    return {
        RefundStatus.DECLINED: "Nothing: it was declined. What it held can be refunded otherwise.",
        RefundStatus.REFUSED: "Nothing: the outside refused it. What it held can be refunded otherwise.",
    }.get(RefundStatus(refund.status), f"Nothing: it is done. {OUTCOMES[RefundOutcome(refund.outcome)]}.")


def parts_table(refund: Refund) -> SafeString:
    rows = [
        (
            f"{part.line.filing_type_id} {part.line.description}",
            FEE_TYPES[part.fee_type],
            money(part.amount, refund.currency),
        )
        for part in refund.lines.select_related("line").order_by("line_id", "pk")
    ]
    return table(("Filing", "Part", "Goes back"), rows, figures=(2,))


def _decision(refund: Refund) -> list[tuple[str, Any]]:
    if not refund.decided_by:
        return [("Decision", badge("Not yet", "attention"))]
    words = "Declined" if refund.status == RefundStatus.DECLINED else "Agreed"
    decided = format_html("{} by {} {}", words, refund.decided_by, moment(refund.decided_at))
    return [("Decision", decided), *_present(("Why declined", refund.decline_reason))]


def _where_to_go(refund: Refund) -> list[tuple[Any, str]]:
    if refund.status != RefundStatus.PENDING_APPROVAL:
        return []
    link = record_link(ApprovalRequest, refund.approval_id, "Open the request")
    return [(link, "Whoever may decide agrees or declines there, with a reason.")]


def _present(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in pairs if value]
