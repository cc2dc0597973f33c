"""What there is to be asked about while the API is asked whatever its description allows, and cases that ask for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from schemathesis import Case

from accounts.models import PaymentAccount
from accounts.scopes import SCOPES
from accounts.seeds import load_accounts
from catalogue.models import Product
from catalogue.seeds import load_catalogue
from invoices.models import Invoice, InvoiceLine, Refund
from invoices.seeds import load_invoices
from tests.invoices.billed import AT
from tests.invoices.partners import INVOICES, Partner, answered
from tests.payments.recorded import record

Draw = Callable[[st.SearchStrategy[Any]], Any]
MOSTLY = st.sampled_from([True, True, True, False])
SHOP = "https://shop.test/"
# A body that is right, by operation: what is generated takes the place of some of its members.
RIGHT: dict[str, list[dict[str, Any]]] = {
    "create_invoice": [
        {
            "businessInfo": {"corpType": "CP"},
            "filingInfo": {"filingTypes": [{"filingTypeCode": "OTANN"}]},
            "accountInfo": {"accountNumber": account},
            "paymentInfo": {"methodOfPayment": method},
        }
        for account, method in (("1001", "PAD"), ("1009", "DIRECT_PAY"), ("1002", "DRAWDOWN"), ("1001", ""))
    ],
    "quote_fees": [
        {
            "businessInfo": {"corpType": "CP"},
            "filingInfo": {"filingTypes": [{"filingTypeCode": "OTANN"}, {"filingTypeCode": "OTADD"}]},
        }
    ],
    "request_refund": [{"reason": "Not wanted"}],
    "preview_refund": [{}],
    "decide_refund": [{"status": "APPROVED"}, {"status": "DECLINED", "declineReason": "Already filed"}],
    "create_transaction": [{"clientSystemUrl": SHOP}],
    "change_invoice": [{"paymentInfo": {"methodOfPayment": "DIRECT_PAY"}}],
    "open_account": [{"accountNumber": "2001", "name": "A customer", "paymentMethod": "DIRECT_PAY"}],
}


@dataclass
class World:
    """What can be asked about, by the name that the description has for it, and a key with every scope."""

    headers: dict[str, str]
    known: dict[str, list[Any]]
    # By operation, those that it may be asked of with success.
    apt: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def fitted(self, case: Case, draw: Draw) -> Case:
        """The case with much of what was generated replaced by what there is: else that would hardly ever be found."""
        operation_id = str(case.operation.definition.raw["operationId"])
        known = self.known | self.apt.get(operation_id, {})
        case.path_parameters = replaced(case.path_parameters, known, draw)
        case.query = replaced(case.query, known, draw)
        case.headers.pop("Authorization", None)
        if "Idempotency-Key" in case.headers and draw(MOSTLY):
            case.headers["Idempotency-Key"] = f"key {next(self.numbers)}"
        if operation_id in RIGHT and isinstance(case.body, dict):
            case.body = mixed(case.body, draw(st.sampled_from(RIGHT[operation_id])), known, draw)
        return case


def replaced(given: Any, known: dict[str, list[Any]], draw: Draw) -> Any:
    """`given` with what there is under some of its names, however deep it lies."""
    if isinstance(given, list):
        return [replaced(each, known, draw) for each in given]
    if not isinstance(given, dict):
        return given
    return {
        name: draw(st.sampled_from(known[name])) if name in known and draw(MOSTLY) else replaced(value, known, draw)
        for name, value in given.items()
    }


def mixed(generated: dict[str, Any], right: dict[str, Any], known: dict[str, list[Any]], draw: Draw) -> dict[str, Any]:
    """Of each member mostly what is right, else what was generated; of the members that nobody needs a few."""
    found = {}
    for name in dict.fromkeys([*right, *generated]):
        if name in right and (name not in generated or draw(MOSTLY)):
            found[name] = right[name]
        elif name in right or not draw(MOSTLY):
            found[name] = replaced(generated[name], known, draw)
    return found


def a_world() -> World:
    """Every stage of the demo, refunds that wait for a second client, an open card payment, a payment."""
    at = datetime.now(UTC)
    load_catalogue(at)
    load_accounts(at)
    load_invoices(partner="demo-partner", at=at)
    ask_for_refunds(Partner("other"))
    partner = Partner("asking", scopes=list(SCOPES))
    opened = partner.post(f"{INVOICES}/{card_ids()[0]}/transactions", {"clientSystemUrl": SHOP})
    return World(
        headers={"Authorization": f"Bearer {partner.key}"},
        known={
            "invoice_id": invoice_ids(),
            "refund_id": list(Refund.objects.order_by("pk").values_list("pk", flat=True)),
            "attempt_id": [answered(opened, 201)["id"]],
            "payment_id": [str(record("DESCRIBED-1", payment_date=AT).payment_id)],
            "account_number": list(PaymentAccount.objects.order_by("pk").values_list("account_number", flat=True)),
            "accountNumber": ["1001", "1009", "1010"],
            "product": ["CP", "BC"],
            "corpType": ["CP", "BC"],
            "filing_type": ["OTANN"],
            "filingTypeCode": ["OTANN", "OTADD"],
            "paymentLineItemId": list(InvoiceLine.objects.order_by("pk").values_list("pk", flat=True)[:5]),
            "refundAmount": ["0.50", "1.00"],
        },
        apt={
            "get_transaction": {"invoice_id": card_ids()[:1]},
            "create_transaction": {"invoice_id": card_ids()},
            "change_invoice": {"invoice_id": invoice_ids(payment_method="ONLINE_BANKING")},
            "cancel_invoice": {"invoice_id": invoice_ids(status="APPROVED")},
            "apply_credit": {"invoice_id": invoice_ids(account__account_number="1001")},
            "get_receipt_pdf": {"invoice_id": invoice_ids(status="PAID")},
            "request_refund": {"invoice_id": invoice_ids(status="PAID")},
            "preview_refund": {"invoice_id": invoice_ids(status="PAID")},
            "decide_refund": {"refund_id": waiting_refunds()},
        },
    )


def ask_for_refunds(partner: Partner) -> None:
    """A few that need a second client."""
    Product.objects.update(refund_approval=True)
    for invoice_id in invoice_ids(status="PAID", payment_method__in=["PAD", "EJV", "ONLINE_BANKING"])[:4]:
        answered(partner.post(f"{INVOICES}/{invoice_id}/refunds", {"reason": "Not wanted"}), 202)
    Product.objects.update(refund_approval=False)


def invoice_ids(**condition: Any) -> list[int]:
    return list(Invoice.objects.filter(**condition).order_by("pk").values_list("pk", flat=True))


def card_ids() -> list[int]:
    return invoice_ids(status="CREATED", payment_method="DIRECT_PAY")


def waiting_refunds() -> list[int]:
    """Asked for by another client than the one that is asking."""
    return list(Refund.objects.filter(status="PENDING_APPROVAL").order_by("pk").values_list("pk", flat=True))
