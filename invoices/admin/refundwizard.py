"""The refund wizard: choose what goes back, see exactly what that would do, and only then ask for it.

The preview and the confirmation are bound by the fingerprint of the plan: what was shown is what is done, or the new
preview is shown instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone

from invoices.admin.display import FEE_TYPES, OUTCOMES, ZERO, in_words, status_badge
from invoices.admin.refundpreview import Preview, preview_of
from invoices.forms import PARTS, WHOLE, ChosenParts, OutsideRefundForm, PartsUnreadable, RefundForm, answers_of
from invoices.models import Invoice, InvoiceLine, Refund
from invoices.operations.calling import ask_about_refund
from invoices.operations.refundapprovals import request_refund
from invoices.operations.refunding import record_manual_refund
from invoices.operations.refundplans import RefundPart, RefundPlanChanged, plan_refund
from invoices.states import FeeType, RefundStatus
from kernel.adminsite import record_address
from kernel.adminsite.confirmation import dressed
from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError

TEMPLATES = {"choose": "invoices/admin/refund_choose.html", "preview": "invoices/admin/refund_preview.html"}
# No plan has this fingerprint: a confirmation that names none was not made by our preview.
NO_FINGERPRINT = "none"


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part of a line as the first step shows it."""

    key: str
    filing: str
    label: str
    charged: Decimal
    left: Decimal
    amount: str
    is_chosen: bool
    problem: str


class RefundWizard:
    """One visit of one person to the wizard of one invoice; `is_manual` for what was given back outside."""

    def __init__(self, model_admin: Any, request: HttpRequest, invoice: Invoice, *, is_manual: bool) -> None:
        self.model_admin = model_admin
        self.request = request
        self.invoice = invoice
        self.is_manual = is_manual
        self.chosen = ChosenParts.of(request.POST)
        kind = OutsideRefundForm if is_manual else RefundForm
        step = request.POST.get("step", "")
        # Going back to the first step shows what was filled in, without finding fault.
        if step == "choose":
            self.form = dressed(kind(initial=request.POST.dict()))
        else:
            self.form = dressed(kind(request.POST or None, initial={"scope": WHOLE}))

    def response(self) -> HttpResponse:
        """The page for the step that was sent; acts on a confirmation alone."""
        step = self.request.POST.get("step", "")
        if self.request.method != "POST" or step not in ("preview", "confirm"):
            return self._choose()
        if not self.form.is_valid():
            return self._choose(status=422)
        try:
            parts = None if self.form.cleaned_data["scope"] == WHOLE else self.chosen.parts()
        except PartsUnreadable as unreadable:
            return self._choose(problems=dict(unreadable.problems), status=422)
        try:
            return self._confirm(parts) if step == "confirm" else self._preview(parts)
        except RefundPlanChanged as changed:
            return self._preview_again(parts, changed)
        except PaymentsiteError as refusal:
            return self._choose(refusal=refusal, status=refusal.status)

    def _choose(
        self, *, refusal: PaymentsiteError | None = None, problems: dict[str, str] | None = None, status: int = 200
    ) -> HttpResponse:
        rows = self._rows(problems or {})
        left = sum((row.left for row in rows), ZERO)
        context = {
            "refusal": refusal,
            "refused": in_words(refusal.detail) if refusal is not None else "",
            "unread": bool(problems),
            "form": self.form,
            "rows": rows,
            "left": left,
            "scope": self.form["scope"].value() or WHOLE,
        }
        return self._page("choose", context, status=status)

    def _preview(self, parts: Sequence[RefundPart] | None, *, changed: PaymentsiteError | None = None) -> HttpResponse:
        plan = plan_refund(self.invoice, parts, is_manual=self.is_manual)
        preview: Preview = preview_of(plan)
        context = {
            "changed": changed,
            "plan": plan,
            "preview": preview,
            "form": self.form,
            "kept": self._kept(),
            "fingerprint": plan.fingerprint,
        }
        return self._page("preview", context, status=409 if changed else 200)

    def _preview_again(self, parts: Sequence[RefundPart] | None, changed: RefundPlanChanged) -> HttpResponse:
        fresh = self.model_admin.fresh(str(self.invoice.pk))
        if fresh is not None:
            self.invoice = fresh
        try:
            return self._preview(parts, changed=changed)
        except PaymentsiteError as refusal:
            return self._choose(refusal=refusal, status=refusal.status)

    def _confirm(self, parts: Sequence[RefundPart] | None) -> HttpResponse:
        actor, at = Actor.staff(self.request.user), timezone.now()
        expects = self.request.POST.get("fingerprint", "") or NO_FINGERPRINT
        if self.is_manual:
            given = answers_of(self.form, "reason", "evidence", "staff_comment")
            refund = record_manual_refund(self.invoice.pk, parts, **given, expects=expects, actor=actor, at=at)
        else:
            given = answers_of(self.form, "reason", "staff_comment", "notification_email")
            refund = request_refund(self.invoice.pk, parts, **given, expects=expects, actor=actor, at=at)
        self._report(refund)
        return HttpResponseRedirect(record_address(Refund, refund.pk))

    def _report(self, refund: Refund) -> None:
        amount = f"{refund.amount} {refund.currency}"
        if refund.status == RefundStatus.PENDING_APPROVAL:
            said = f"{amount} are asked for. Nothing moves until a second person agrees."
            messages.success(self.request, said)
        elif refund.status == RefundStatus.PROCESSED:
            messages.success(self.request, f"Done: {amount}. {OUTCOMES[refund.outcome]}.")
        else:
            messages.success(self.request, f"{amount} are on their way back. The outside must confirm it.")
            tell_gateway(self.request, refund)

    def _rows(self, problems: dict[str, str]) -> list[PartRow]:
        lines: list[InvoiceLine] = sorted(self.invoice.lines.all(), key=lambda line: line.pk)
        is_sent = bool(self.request.POST)
        rows = []
        for line in lines:
            for fee_type in FeeType:
                if not line.fee(fee_type):
                    continue
                key = f"{line.pk}:{fee_type}"
                left = line.refundable(fee_type)
                rows.append(
                    PartRow(
                        key=key,
                        filing=f"{line.filing_type_id} {line.description}",
                        label=FEE_TYPES[fee_type],
                        charged=line.fee(fee_type),
                        left=left,
                        amount=self.request.POST.get(f"amount-{key}", str(left)) if is_sent else str(left),
                        is_chosen=key in self.chosen.amounts,
                        problem=problems.get(key, ""),
                    )
                )
        return rows

    def _kept(self) -> list[tuple[str, str]]:
        """What was filled in, for the hidden fields of the second step."""
        kept = [(name, str(self.form.cleaned_data[name])) for name in self.form.fields]
        if self.form.cleaned_data["scope"] == PARTS:
            for key, text in self.chosen.amounts.items():
                kept += [("part", key), (f"amount-{key}", text)]
        return kept

    def _page(self, step: str, context: dict[str, Any], *, status: int) -> HttpResponse:
        title = "Record a refund made outside" if self.is_manual else "Refund"
        shared = {
            **self.model_admin.admin_site.each_context(self.request),
            "title": title,
            "model_admin": self.model_admin,
            "model_opts": self.model_admin.opts,
            "invoice": self.invoice,
            "status": status_badge(self.invoice),
            "is_manual": self.is_manual,
            "back": record_address(Invoice, self.invoice.pk),
            "media": self.model_admin.media + forms.Media(js=["invoices/refundwizard.js"]),
        }
        return TemplateResponse(self.request, TEMPLATES[step], {**shared, **context}, status=status).render()


def tell_gateway(request: HttpRequest, refund: Refund) -> None:
    """Tells the card gateway of the refund right away; what it does not answer, the schedule asks again."""
    if not hasattr(refund, "outside_call"):
        return
    try:
        told = ask_about_refund(refund.pk, actor=Actor.staff(request.user), clock=timezone.now)
    except PaymentsiteError as error:
        messages.warning(request, f"The card gateway: {error.detail} It is asked again by itself.")
    else:
        if told.status == RefundStatus.REFUSED:
            messages.error(request, f"The card gateway refused it: {told.gl_error}")
