"""What staff fill in about invoices: which parts of one go back and why, and what proves what happened outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils import timezone

from invoices.operations.refunding import REASON_LIMIT
from invoices.operations.refundplans import RefundPart
from invoices.states import FeeType

WHOLE, PARTS = "all", "parts"
# As people type an amount: no exponent, no sign.
_amount = re.compile(r"\$?((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,13})(?:\.[0-9]{1,2})?)", re.ASCII)
_picked = re.compile(r"([0-9]{1,18}):([A-Z_]{1,22})", re.ASCII)


class RefundForm(forms.Form):
    """The part of the wizard's first step that is the same for every invoice; the parts of its lines stand beside."""

    scope = forms.ChoiceField(
        choices=[(WHOLE, "All that is left"), (PARTS, "Only the parts that are ticked below")],
        widget=forms.RadioSelect,
        label="How much",
    )
    reason = forms.CharField(
        max_length=REASON_LIMIT,
        label="Reason",
        help_text="Whoever must agree decides by this. Name the ticket, if there is one.",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: the reason is kept with the refund."},
    )
    staff_comment = forms.CharField(
        max_length=1000, required=False, label="Comment for colleagues", widget=forms.Textarea(attrs={"rows": 2})
    )
    notification_email = forms.EmailField(
        max_length=254,
        required=False,
        label="E-mail address",
        help_text="Kept with the refund. Mail is not sent yet.",
    )


class OutsideRefundForm(RefundForm):
    """The same for what was given back outside: with its evidence; nobody is told, and nobody else must agree."""

    notification_email = None  # type: ignore[assignment]
    evidence = forms.CharField(
        max_length=200,
        label="Evidence",
        help_text="The cheque's number, or the bank's reference. Attach a copy to the invoice afterwards.",
        error_messages={"required": "Give what proves it: the cheque's number or the bank's reference."},
    )
    reason = forms.CharField(
        max_length=REASON_LIMIT,
        label="Reason",
        help_text="Why it was given back. Name the ticket, if there is one.",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: the reason is kept with the refund."},
    )
    field_order = ("scope", "evidence", "reason", "staff_comment")


class PartsUnreadable(ValueError):
    """Some of the chosen parts cannot be read; `problems` has a sentence for each, by its key."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(next(iter(problems.values())))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ChosenParts:
    """What was ticked and typed: `line:FEE_TYPE` and the text of its amount."""

    amounts: Mapping[str, str]

    @classmethod
    def of(cls, posted: QueryDict) -> ChosenParts:
        return cls({key: posted.get(f"amount-{key}", "").strip() for key in posted.getlist("part")})

    def parts(self) -> list[RefundPart]:
        """As the plan wants them, which checks them against the invoice. Raises PartsUnreadable."""
        problems: dict[str, str] = {}
        parts = []
        for key, text in self.amounts.items():
            named, written = _picked.fullmatch(key), _amount.fullmatch(text)
            if named is None or named[2] not in set(FeeType):
                problems[key] = "This is no part of an invoice."
            elif written is None:
                problems[key] = "Write the amount with digits and at most two decimals, such as 30.00."
            else:
                parts.append(RefundPart(int(named[1]), FeeType(named[2]), Decimal(written[1].replace(",", ""))))
        if problems:
            raise PartsUnreadable(problems)
        return parts


class ConfirmedForm(forms.Form):
    """What proves that the money went back, and since when."""

    evidence = forms.CharField(
        max_length=200,
        label="Evidence",
        help_text="The reference of the bank, the gateway, the voucher or the help desk.",
        error_messages={"required": "Give what proves that the money went back."},
    )
    final_on = forms.DateField(
        label="Went back on",
        help_text="The day in the ledger's zone; it becomes the invoice's refund date.",
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def clean_final_on(self) -> datetime:
        day = self.cleaned_data["final_on"]
        if day > timezone.localdate(timezone=settings.LEDGER_ZONE):
            raise forms.ValidationError("This day has not come yet.")
        return datetime.combine(day, time(), tzinfo=settings.LEDGER_ZONE)


class RefusedForm(forms.Form):
    """What the outside said when it refused."""

    error = forms.CharField(
        max_length=250,
        label="What they said",
        help_text="The answer of the bank, the gateway or the help desk.",
        error_messages={"required": "Say what they answered."},
    )


def answers_of(form: forms.Form, *names: str) -> dict[str, Any]:
    """The cleaned answers of these names; '' for a field that the form has not."""
    return {name: form.cleaned_data.get(name, "") for name in names}
