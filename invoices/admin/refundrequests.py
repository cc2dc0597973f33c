"""How a request for a refund is read by whoever decides: words for codes, and links to what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.models import PaymentAccount
from invoices.admin.display import FEE_TYPES, OUTCOMES, REFUND_STATUSES, STATUSES, invoice_link, refund_link
from invoices.models import InvoiceLine
from invoices.operations.refundapprovals import KIND
from kernel.adminsite import Related, list_link
from kernel.approvals.readings import Reading, register_reading

# Fields whose values are codes.
CODES: Mapping[str, Mapping[str, str]] = {
    "outcome": OUTCOMES,
    "status": {code: words for code, (words, _) in REFUND_STATUSES.items()},
    "invoice_status": {code: words for code, (words, _) in STATUSES.items()},
}


def register() -> None:
    register_reading(KIND, Reading(words, related))


def words(field: str, value: Any) -> Any:
    """The value of one field as a person reads it; what is no code stays as it is."""
    if field == "parts":
        return parts_in_words(value)
    return CODES[field].get(str(value), value) if field in CODES else value


def parts_in_words(parts: Sequence[Mapping[str, Any]]) -> SafeString:
    """One part below the other: which filing, which fee of it, and how much goes back."""
    lines = InvoiceLine.objects.in_bulk([part["line"] for part in parts])
    said = (
        (f"{_filing(lines, part['line'])}, {FEE_TYPES.get(part['fee_type'], part['fee_type'])}: {part['amount']}",)
        for part in parts
    )
    return format_html_join(SafeString("<br>"), "{}", said)


def related(content: Mapping[str, Any]) -> list[Related]:
    account = str(content["account"])
    return [
        Related("Invoice", [invoice_link(content["invoice"])]),
        Related("Refund", [refund_link(content["refund"])]),
        Related("Account", [list_link(PaymentAccount, f"Account {account}", {"q": account})]),
    ]


def _filing(lines: Mapping[int, InvoiceLine], line_id: int) -> str:
    line = lines.get(line_id)
    return f"Line {line_id}" if line is None else f"{line.filing_type_id} {line.description}"
