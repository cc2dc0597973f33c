"""Two contents side by side, field by field, the differing ones marked in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils.html import format_html, format_html_join

from kernel.adminsite import Comparison, Row
from payments.admin.display import NOTHING, badge, moment, money, record_link
from payments.forms import LABELS, amount_text, metadata_text
from payments.models import Payment, ReferenceConflict, StagingRejection
from payments.notices import parse_moment
from payments.rules import RULE_BY_CODE

TEXT_FIELDS = ("reference_number", "loan_account_number", "cif")


def rejection_comparison(rejection: StagingRejection) -> Comparison:
    """Every field as it came, beside what is wrong with it."""
    sentences: dict[str, list[str]] = {}
    for code in rejection.reasons:
        rule = RULE_BY_CODE.get(code)
        sentences.setdefault(rule.field if rule else "", []).append(rule.message if rule else code)
    fields = [name for name in LABELS if name in rejection.raw or name in sentences]
    others = [name for name in rejection.raw if name not in LABELS and name not in ("id", "processed", "processed_at")]
    rows = [_came(LABELS[name], rejection.raw.get(name), sentences.get(name, [])) for name in fields]
    rows += [_came(name.replace("_", " ").capitalize(), rejection.raw[name], [], fine="") for name in others]
    if "" in sentences:
        rows.append(_came("The row as a whole", None, sentences[""]))
    return Comparison("The row as it came", ("Field", "Came as", "What is wrong and what to do"), rows)


def conflict_comparison(conflict: ReferenceConflict) -> Comparison:
    """What is recorded beside what was received; the recorded payment is found by id and date, in one partition."""
    recorded = Payment.objects.filter(id=conflict.payment_id, payment_date=conflict.payment_date).first()
    differing = {part["field"] for part in conflict.difference}
    received = conflict.received
    rows = [
        _compared(name, getattr(recorded, name, None), received.get(name), is_wrong=name in differing)
        for name in TEXT_FIELDS
    ]
    rows.append(
        _compared(
            "amount",
            money(recorded.amount, recorded.currency) if recorded else None,
            f"{received.get('amount')} {received.get('currency')}",
            is_wrong=bool({"amount", "currency"} & differing),
        )
    )
    rows.append(
        _compared(
            "payment_date",
            moment(conflict.payment_date),
            moment(parse_moment(str(received.get("payment_date", "")))),
            is_wrong="payment_date" in differing,
        )
    )
    rows.append(_described(recorded, received))
    note = format_html("{} was recorded first and stands.", record_link(Payment, conflict.payment_id, "This payment"))
    return Comparison("What differs", ("Field", "Recorded", "Received later", ""), rows, note)


def _described(recorded: Payment | None, received: dict[str, Any]) -> Row:
    """The channel describes a payment and does not identify it: another one is no conflict."""
    was, came = getattr(recorded, "payment_channel", None), received.get("payment_channel")
    return Row("Channel", (was or NOTHING, came or NOTHING, "same" if was == came else "not compared"))


def _compared(name: str, was: Any, came: Any, *, is_wrong: bool) -> Row:
    verdict = badge("differs", "attention") if is_wrong else "same"
    return Row(LABELS[name], (NOTHING if was is None else was, NOTHING if came is None else came, verdict), is_wrong)


def _came(label: str, value: Any, sentences: Sequence[str], *, fine: str = "fine") -> Row:
    shown: Any = NOTHING if value is None else value
    if isinstance(value, float):
        shown = amount_text(value)
    elif isinstance(value, dict | list):
        shown = metadata_text(value)
    if value == "":
        shown = "(empty)"
    elif isinstance(value, str):
        shown = format_html("<q>{}</q>", value)
        if label in (LABELS["payment_date"], "Created at"):
            shown = format_html("{} {}", shown, settings.STAGING_ZONE.key)
    verdict = format_html_join("", "<p>{}</p>", ((badge(sentence, "attention"),) for sentence in sentences))
    return Row(label, (shown, verdict or fine), bool(sentences))
