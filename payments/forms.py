"""Forms for payments typed in or corrected by staff: checked field by field by the same rules as every other way in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html_join
from unfold.widgets import UnfoldAdminSelectWidget

from kernel import exactjson
from kernel.calendar import ledger_zone
from kernel.currencies import CURRENCY_EXPONENTS
from kernel.exactjson import JsonInvalid
from payments.limits import notice_limits
from payments.notices import NoticeInvalid, parse_moment, read_notice
from payments.rules import ACCOUNT_MAX_LENGTH, REFERENCE_MAX_LENGTH, RULE_BY_CODE

LABELS = {
    "reference_number": "Reference number",
    "loan_account_number": "Loan account number",
    "cif": "CIF",
    "amount": "Amount",
    "currency": "Currency",
    "payment_date": "Moment of payment",
    "payment_channel": "Channel",
    "metadata": "Metadata",
}
_local_moment = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})(:\d{2}(?:\.\d{1,6})?)?", re.ASCII)


class LedgerMomentField(forms.CharField):
    """A moment as text: read in the ledger's zone, unless it carries a zone of its own. Cleans to RFC 3339 text."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        if not text or parse_moment(text) is not None:
            return text
        match = _local_moment.fullmatch(text)
        if match is None:
            raise forms.ValidationError(f"Write date and time as 2026-03-31 14:05:00, in {ledger_zone().key}.")
        try:
            return in_zone(datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or ':00'}"), ledger_zone())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


def in_zone(local: datetime, zone: ZoneInfo) -> str:
    """The local moment as RFC 3339 text. Raises ValueError for an hour that was skipped or came twice there."""
    earlier, later = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    if earlier.utcoffset() == later.utcoffset():
        return earlier.isoformat()
    if earlier.astimezone(ZoneInfo("UTC")).astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError("The clocks were put forward then: there was no such hour.")
    raise ValueError(
        f"The clocks were put back then and this hour came twice: add the zone, {earlier.isoformat(sep=' ')} or "
        f"{later.isoformat(sep=' ')[-6:]}."
    )


def shown_moment(at: datetime) -> str:
    """The text that LedgerMomentField reads back as the same instant."""
    local = at.astimezone(ledger_zone())
    naive = local.replace(tzinfo=None)
    try:
        in_zone(naive, ledger_zone())
    except ValueError:
        return local.isoformat(sep=" ")
    return naive.isoformat(sep=" ")


def _required(name: str) -> dict[str, str]:
    return {"required": RULE_BY_CODE[f"{name}_missing"].message}


class PaymentForm(forms.Form):
    """The recordable fields; what is wrong stands at its field. `cleaned_data["body"]` is in a webhook's format."""

    reference_number = forms.CharField(
        label=LABELS["reference_number"],
        max_length=REFERENCE_MAX_LENGTH,
        error_messages=_required("reference_number"),
        help_text="Unique: a reference is recorded once and never again.",
    )
    loan_account_number = forms.CharField(
        label=LABELS["loan_account_number"],
        error_messages=_required("loan_account_number"),
        help_text=f"At most {ACCOUNT_MAX_LENGTH} characters.",
    )
    cif = forms.CharField(
        label=LABELS["cif"],
        error_messages=_required("cif"),
        help_text=f"The customer's number; at most {ACCOUNT_MAX_LENGTH} characters.",
    )
    amount = forms.CharField(
        label=LABELS["amount"],
        error_messages={"required": "Give the amount."},
        help_text="More than zero, digits with a point: 1234.50.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    currency = forms.ChoiceField(
        label=LABELS["currency"],
        choices=lambda: [(code, code) for code in _currencies()],
        initial=lambda: settings.LEDGER_CURRENCY,
        widget=UnfoldAdminSelectWidget,
    )
    payment_date = LedgerMomentField(
        label=f"{LABELS['payment_date']} ({settings.LEDGER_ZONE.key})",
        error_messages=_required("payment_date"),
        help_text="When the money was paid: 2026-03-31 14:05:00. Another zone is written behind it, as in "
        "2026-03-31T21:05:00Z.",
    )
    payment_channel = forms.CharField(
        label=LABELS["payment_channel"], required=False, help_text="How it was paid; may be empty."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        body = self.body_from(cleaned)
        if not self.errors:
            self._check(body)
        cleaned["body"] = body
        return cleaned

    def body_from(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that hold something, in a webhook's format."""
        return {name: cleaned[name] for name in LABELS if cleaned.get(name) not in (None, "")}

    def _check(self, body: Mapping[str, Any]) -> None:
        try:
            read_notice(body, notice_limits(timezone.now()))
        except NoticeInvalid as refusal:
            for problem in refusal.errors:
                self.add_error(problem.field if problem.field in self.fields else None, problem.message)


class ManualPaymentForm(PaymentForm):
    """A payment that no system reported."""

    note = forms.CharField(
        label="Note", required=False, max_length=1000, help_text="Kept with the payment, for example the slip's number."
    )

    def body_from(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        body = super().body_from(cleaned)
        note = cleaned.get("note")
        return body | {"metadata": {"note": note}} if note else body


class CorrectionForm(PaymentForm):
    """A row that was not recorded, to be put right. Each field says how it came and what was wrong with it.

    `initial` holds, beside the fields, `came` (field → how it came, as a sentence) and `wrong` (field → sentences).
    """

    metadata = forms.CharField(
        label=LABELS["metadata"],
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="Further particulars as a JSON object; may be empty.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        came, wrong = self.initial.get("came", {}), self.initial.get("wrong", {})
        for name, field in self.fields.items():
            # Sent back, the form says itself what is wrong now.
            notes = [] if self.is_bound else [(f"✕ {sentence}",) for sentence in wrong.get(name, ())]
            if name in came:
                notes.append((came[name],))
            if notes:
                # Help texts go onto the page as they are, and what came from outside must not become markup there.
                field.help_text = format_html_join("", '<span class="ps-wrong-note">{}</span>', notes)

    def clean_metadata(self) -> Any:
        text = self.cleaned_data["metadata"].strip()
        if not text:
            return None
        try:
            metadata = exactjson.loads(text)
        except JsonInvalid as refusal:
            raise forms.ValidationError(refusal.detail.replace("The body", "The metadata")) from None
        if not isinstance(metadata, dict):
            raise forms.ValidationError(RULE_BY_CODE["metadata_not_an_object"].message)
        return metadata


def amount_text(amount: Any) -> str:
    """An amount out of raw JSON as it was in its column: 75 and 75.5 have two decimals, more are shown as they are."""
    if not isinstance(amount, float | int):
        return "" if amount is None else str(amount)
    exact = Decimal(repr(amount))
    return f"{exact:.2f}" if exact == round(exact, 2) else f"{exact:f}"


def metadata_text(metadata: Any) -> str:
    """JSON as the correction form shows it; nothing for nothing."""
    if metadata in (None, "", {}):
        return ""
    return metadata if isinstance(metadata, str) else json.dumps(metadata, indent=2, ensure_ascii=False)


def _currencies() -> list[str]:
    """The ledger's currency first, then the others by their code."""
    first = settings.LEDGER_CURRENCY
    return [first, *(code for code in sorted(CURRENCY_EXPONENTS) if code != first)]
