"""What the second step of the refund wizard shows: every figure that the refund would change, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F, Sum
from django.utils.safestring import SafeString

from invoices.admin.display import FEE_TYPES, OUTCOMES, STATUSES, ZERO, in_words, method_title
from invoices.models import Credit
from invoices.operations.refundplans import RefundPlan, is_partners
from kernel.adminsite import badge, money, table


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan in words and two tables; `asks_second_person` when somebody else must agree before anything moves."""

    outcome: str
    sentences: Sequence[str]
    effects: SafeString
    parts: SafeString
    asks_second_person: bool


def preview_of(plan: RefundPlan) -> Preview:
    """Asks the database for the account's credits alone; all else is in the plan."""
    return Preview(
        outcome=OUTCOMES[plan.outcome],
        sentences=[in_words(sentence) for sentence in plan.sentences],
        effects=_effects(plan),
        parts=_parts(plan),
        asks_second_person=plan.needs_approval,
    )


def _effects(plan: RefundPlan) -> SafeString:
    invoice, currency = plan.invoice, plan.invoice.currency
    waits = plan.status_at_once != plan.status_after
    first = "When agreed" if plan.needs_approval else "At once"
    heads = ("", "Now", first, "When confirmed outside") if waits else ("", "Now", first)
    undone = invoice.facts.undone
    owing_after = ZERO if undone + plan.amount >= invoice.total else invoice.owing
    rows: list[tuple[Any, ...]] = [
        _row("Status", *(badge(*STATUSES[code]) for code in _steps(invoice.status, plan, waits=waits))),
        _amounts("Given back so far", currency, undone, ZERO if waits else plan.amount, plan.amount, waits=waits),
        _row("Owing", *(money(amount, currency) for amount in _owing(invoice.owing, owing_after, waits=waits))),
    ]
    if plan.credit:
        left = _credits_left(plan)
        label = f"Credits of account {invoice.account.account_number} for {method_title(invoice.payment_method)}"
        rows.append(_amounts(label, currency, left, plan.credit, plan.credit, waits=waits))
    if invoice.product.has_partner_disbursements:
        pulled = ZERO if waits else plan.partner_share
        rows.append(_amounts("Pulled back from the partner", currency, ZERO, pulled, plan.partner_share, waits=waits))
    return table(heads, rows, figures=range(1, len(heads)))


def _steps(now: str, plan: RefundPlan, *, waits: bool) -> list[str]:
    return [now, plan.status_at_once, plan.status_after] if waits else [now, plan.status_after]


def _owing(now: Decimal, after: Decimal, *, waits: bool) -> list[Decimal]:
    return [now, after, after] if waits else [now, after]


def _row(label: str, *cells: Any) -> tuple[Any, ...]:
    return (label, *cells)


def _amounts(
    label: str, currency: str, now: Decimal, at_once: Decimal, in_the_end: Decimal, *, waits: bool
) -> tuple[Any, ...]:
    amounts = [now, now + at_once, now + in_the_end] if waits else [now, now + in_the_end]
    return (label, *(money(amount, currency) for amount in amounts))


def _credits_left(plan: RefundPlan) -> Decimal:
    invoice = plan.invoice
    credits = Credit.objects.with_money_left().filter(
        account_id=invoice.account_id, payment_method=invoice.payment_method
    )
    left: Decimal | None = credits.aggregate(left=Sum(F("amount") - F("applied_amount")))["left"]
    return left or ZERO


def _parts(plan: RefundPlan) -> SafeString:
    lines = {line.pk: line for line in plan.invoice.lines.all()}
    rows = [
        (
            f"{lines[part.line_id].filing_type_id} {lines[part.line_id].description}",
            FEE_TYPES[part.fee_type],
            "Partner" if is_partners(plan.invoice, lines[part.line_id], part.fee_type) else "Us",
            money(part.amount, plan.invoice.currency),
        )
        for part in plan.parts
    ]
    total = (SafeString("<b>Together</b>"), "", "", money(plan.amount, plan.invoice.currency))
    return table(("Filing", "Part", "Whose", "Goes back"), [*rows, total], figures=(3,))
