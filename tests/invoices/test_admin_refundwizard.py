"""The refund wizard: what is chosen, what is shown, and that exactly what was shown is what is done."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.models import Product
from catalogue.quote import FilingLine
from invoices.models import Credit, Invoice, OutsideCall, Refund
from invoices.operations.cards import open_payment
from invoices.operations.refundapprovals import request_refund
from invoices.operations.refundplans import RefundPart
from invoices.operations.settling import settle
from invoices.states import FeeType, ReceiptSource
from invoices.sweeping import sweep_attempts
from kernel.approvals.models import ApprovalRequest
from kernel.audit.models import AuditEntry
from tests.console.people import signed_in
from tests.invoices.billed import CLIENT, STAFF, a_priced_filing, an_invoice, evidence_of
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/invoices/invoice/"


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


def stored(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def paid(method: str = "PAD", **changes: Any) -> Invoice:
    invoice = an_invoice(method, **changes)
    source = ReceiptSource.CARD if method == "DIRECT_PAY" else ReceiptSource.SETTLEMENT
    settle(invoice.pk, evidence_of(invoice, f"R{invoice.pk}", source=source), actor=STAFF, at=timezone.now())
    return stored(invoice)


def of_parts(invoice: Invoice, **amounts: str) -> dict[str, Any]:
    """What the first step sends for these parts of the invoice's only line, by fee type."""
    line = invoice.lines.get()
    keys = [f"{line.pk}:{fee_type}" for fee_type in amounts]
    texts = {f"amount-{line.pk}:{fee_type}": amount for fee_type, amount in amounts.items()}
    return {"scope": "parts", "part": keys, **texts, "reason": "Ticket 7"}


WHOLE = {"scope": "all", "reason": "Ticket 7"}


def send(client: Client, invoice: Invoice, step: str, given: dict[str, Any], *, page: str = "refund") -> Any:
    return client.post(f"{LIST}{invoice.pk}/{page}/", {**given, "step": step})


def confirm(client: Client, invoice: Invoice, given: dict[str, Any], *, page: str = "refund") -> Any:
    """Through the preview, with exactly the hidden fields that it holds."""
    shown = send(client, invoice, "preview", given, page=page)
    assert shown.status_code == 200, shown.content.decode()[-4000:]
    kept: dict[str, Any] = {}
    for name, value in shown.context["kept"]:
        kept[name] = [*kept.get(name, []), value] if name == "part" else value
    return send(client, invoice, "confirm", {**kept, "fingerprint": shown.context["fingerprint"]}, page=page)


def test_the_first_step_shows_every_part_with_what_is_left_filled_in(operator: Client) -> None:
    invoice = paid()
    line = invoice.lines.get()
    request_refund(
        invoice.pk,
        [RefundPart(line.pk, FeeType.BASE_FEES, Decimal("10.00"))],
        reason="Part",
        actor=STAFF,
        at=timezone.now(),
    )

    page = operator.get(f"{LIST}{invoice.pk}/refund/")

    assert [(row.label, row.charged, row.left, row.amount) for row in page.context["rows"]] == [
        ("Filing fee", Decimal("30.00"), Decimal("20.00"), "20.00"),
        ("Service fee", Decimal("1.50"), Decimal("1.50"), "1.50"),
        ("GST on the filing", Decimal("1.50"), Decimal("1.50"), "1.50"),
        ("GST on the service fee", Decimal("0.08"), Decimal("0.08"), "0.08"),
    ]
    assert page.context["left"] == Decimal("23.08")
    assert Refund.objects.count() == 1


def test_the_preview_shows_status_credit_and_the_partners_share_before_and_after_and_changes_nothing(
    operator: Client,
) -> None:
    invoice = paid()

    page = send(operator, invoice, "preview", WHOLE)
    text = " ".join(page.content.decode().split())

    assert "33.08 CAD becomes a credit on account A-PAD." in text
    assert "31.50 CAD of it is the partner&#x27;s share and is pulled back from it." in text
    assert "Nobody else must agree" in text
    for label in (
        "Status",
        "Given back so far",
        "Owing",
        "Credits of account A-PAD for Pre-authorised debit",
        "Pulled back",
    ):
        assert label in text
    assert "Credited" in text
    assert (Refund.objects.count(), Credit.objects.count(), stored(invoice).status) == (0, 0, "PAID")


def test_all_that_is_left_becomes_a_credit_when_it_is_confirmed(operator: Client) -> None:
    invoice = paid()

    answer = confirm(operator, invoice, {**WHOLE, "staff_comment": "Seen", "notification_email": "a@example.test"})

    refund = Refund.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/invoices/refund/{refund.pk}/change/")
    assert (refund.amount, refund.status, refund.outcome) == (Decimal("33.08"), "PROCESSED", "CREDIT")
    assert (refund.requested_by, refund.reason, refund.staff_comment) == ("pat-operator", "Ticket 7", "Seen")
    assert refund.notification_email == "a@example.test"
    assert (stored(invoice).status, Credit.objects.get().amount) == ("CREDITED", Decimal("33.08"))


def test_only_the_parts_that_were_ticked_go_back(operator: Client) -> None:
    invoice = paid()

    confirm(operator, invoice, of_parts(invoice, BASE_FEES="$10.50", SERVICE_GST="0.08"))

    refund = Refund.objects.get()
    assert {(part.fee_type, part.amount) for part in refund.lines.all()} == {
        ("BASE_FEES", Decimal("10.50")),
        ("SERVICE_GST", Decimal("0.08")),
    }
    changed = stored(invoice)
    assert (changed.status, changed.credited_amount) == ("PAID", Decimal("10.58"))


def test_an_amount_that_was_typed_beside_a_part_that_was_not_ticked_is_left_out(operator: Client) -> None:
    invoice = paid()
    line = invoice.lines.get()

    confirm(operator, invoice, {**of_parts(invoice, BASE_FEES="1.00"), f"amount-{line.pk}:SERVICE_FEES": "1.50"})

    assert Refund.objects.get().amount == Decimal("1.00")


def test_what_was_filled_in_is_still_there_after_going_back_to_change_it(operator: Client) -> None:
    invoice = paid()

    page = send(operator, invoice, "choose", of_parts(invoice, BASE_FEES="12.00"))

    chosen = {row.label: (row.amount, row.is_chosen) for row in page.context["rows"]}
    assert chosen["Filing fee"] == ("12.00", True)
    assert chosen["Service fee"] == ("1.50", False)
    assert page.context["scope"] == "parts"
    assert "Ticket 7" in page.content.decode()
    assert "cannot be used" not in page.content.decode()


@pytest.mark.parametrize(
    "amount", ["", "-1.00", "1e5", "0", "0.00", "30.01", "99999999999999", "1.005", "abc", "1,00", "NaN"]
)
@pytest.mark.parametrize("step", ["preview", "confirm"])
def test_an_amount_that_does_not_do_is_refused_and_nothing_changes(operator: Client, amount: str, step: str) -> None:
    invoice = paid()
    entries = AuditEntry.objects.count()

    page = send(operator, invoice, step, of_parts(invoice, BASE_FEES=amount))

    assert page.status_code == 422
    assert "Nothing was changed" in page.content.decode()
    assert (Refund.objects.count(), AuditEntry.objects.count()) == (0, entries)


@pytest.mark.parametrize("step", ["preview", "confirm"])
def test_a_line_of_another_invoice_an_unknown_part_and_no_part_at_all_are_refused(operator: Client, step: str) -> None:
    invoice, other = paid(), paid("EFT")
    line, foreign = invoice.lines.get(), other.lines.get()
    for key in (f"{foreign.pk}:BASE_FEES", f"{line.pk}:EVERYTHING", "x", f"{line.pk}:PRIORITY_FEES"):
        given = {"scope": "parts", "part": [key], f"amount-{key}": "1.00", "reason": "Ticket 7"}
        assert send(operator, invoice, step, given).status_code == 422, key
    assert send(operator, invoice, step, {"scope": "parts", "reason": "Ticket 7"}).status_code == 422

    assert Refund.objects.count() == 0


def test_a_reason_is_wanted_and_an_address_must_be_one(operator: Client) -> None:
    invoice = paid()

    silent = send(operator, invoice, "preview", {**WHOLE, "reason": " "})
    wordy = send(operator, invoice, "preview", {**WHOLE, "reason": "x" * 251})
    wrong = send(operator, invoice, "preview", {**WHOLE, "notification_email": "nobody"})
    neither = send(operator, invoice, "preview", {**WHOLE, "scope": "some"})

    assert [page.status_code for page in (silent, wordy, wrong, neither)] == [422] * 4
    assert "Say why" in silent.content.decode()


@pytest.mark.parametrize("fingerprint", [None, "", "none", "0" * 64, "<script>"])
def test_a_confirmation_that_was_not_made_by_the_preview_shows_the_preview_and_does_nothing(
    operator: Client, fingerprint: str | None
) -> None:
    invoice = paid()
    given = WHOLE if fingerprint is None else {**WHOLE, "fingerprint": fingerprint}

    page = send(operator, invoice, "confirm", given)

    assert page.status_code == 409
    assert "Below is what it would do now" in page.content.decode()
    assert len(page.context["fingerprint"]) == 64
    assert Refund.objects.count() == 0


def test_what_changed_in_between_is_said_with_the_new_preview_which_can_be_confirmed(operator: Client) -> None:
    invoice = paid()
    shown = send(operator, invoice, "preview", WHOLE).context["fingerprint"]
    line = invoice.lines.get()
    part = RefundPart(line.pk, FeeType.BASE_FEES, Decimal("10.00"))
    request_refund(invoice.pk, [part], reason="By a colleague", actor=STAFF, at=timezone.now())

    late = send(operator, invoice, "confirm", {**WHOLE, "fingerprint": shown})

    assert late.status_code == 409
    assert "has changed since this was shown" in late.content.decode()
    assert late.context["plan"].amount == Decimal("23.08")
    assert Refund.objects.count() == 1

    again = send(operator, invoice, "confirm", {**WHOLE, "fingerprint": late.context["fingerprint"]})

    assert again.status_code == 302
    assert [refund.amount for refund in Refund.objects.order_by("pk")] == [Decimal("10.00"), Decimal("23.08")]


def test_what_was_given_back_in_between_leaves_nothing_to_confirm(operator: Client) -> None:
    invoice = paid()
    shown = send(operator, invoice, "preview", WHOLE).context["fingerprint"]
    request_refund(invoice.pk, None, reason="By a colleague", actor=STAFF, at=timezone.now())

    late = send(operator, invoice, "confirm", {**WHOLE, "fingerprint": shown})

    assert late.status_code == 409
    assert "is given back, or being given back" in late.content.decode()
    assert Refund.objects.count() == 1


def test_sending_the_confirmation_twice_refunds_once(operator: Client) -> None:
    invoice = paid()
    given = of_parts(invoice, BASE_FEES="10.00")
    shown = send(operator, invoice, "preview", given).context["fingerprint"]

    first = send(operator, invoice, "confirm", {**given, "fingerprint": shown})
    second = send(operator, invoice, "confirm", {**given, "fingerprint": shown})

    # The same parts once more would be another refund: the invoice is not as it was when this was shown.
    assert (first.status_code, second.status_code) == (302, 409)
    assert Refund.objects.count() == 1


def test_a_product_that_wants_two_people_gets_a_request_that_the_approvals_lead_to(operator: Client) -> None:
    invoice = paid()
    Product.objects.filter(pk="CP").update(refund_approval=True)

    preview = send(operator, invoice, "preview", WHOLE)
    assert "A second person must agree" in preview.content.decode()
    confirm(operator, invoice, WHOLE)

    refund = Refund.objects.get()
    request = ApprovalRequest.objects.get()
    assert (refund.status, refund.approval_id, stored(invoice).status) == ("PENDING_APPROVAL", request.pk, "PAID")
    link = f"/admin/approvals/approvalrequest/{request.pk}/change/"
    assert link in operator.get(f"/admin/invoices/refund/{refund.pk}/change/").content.decode()
    assert link in operator.get(f"{LIST}{invoice.pk}/change/").content.decode()

    approver = signed_in("approver")
    approver.post(
        f"/admin/approvals/approvalrequest/{request.pk}/approve/", {"confirmed": "yes", "reason": "As agreed"}
    )

    refund.refresh_from_db()
    assert (refund.status, refund.decided_by, stored(invoice).status) == ("PROCESSED", "pat-approver", "CREDITED")


def test_a_card_refund_is_told_to_the_gateway_at_once(operator: Client, simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY", at=timezone.now())
    attempt = open_payment(
        invoice.pk,
        client_url="https://shop.test/",
        return_base="http://localhost:3004/pay/return",
        actor=CLIENT,
        at=timezone.now(),
    )
    simulators.decide(attempt.pay_url)
    operator.post(f"{LIST}{invoice.pk}/ask_outside/", {"confirmed": "yes"})
    assert stored(invoice).status == "PAID"

    confirm(operator, invoice, of_parts(invoice, BASE_FEES="30.00"))

    call = OutsideCall.objects.get()
    assert (call.status, Refund.objects.get().status) == ("SUCCEEDED", "PROCESSING")
    assert [refund["amount"] for order in simulators.orders() for refund in order["refunds"]] == ["30.00"]


def test_a_gateway_that_is_away_leaves_the_refund_on_its_way(operator: Client, simulators: RunningSimulators) -> None:
    invoice = paid("DIRECT_PAY", at=timezone.now())
    simulators.fault("card", "down", times=None)

    answer = confirm(operator, invoice, WHOLE)

    assert answer.status_code == 302
    page = operator.get(answer["Location"]).content.decode()
    assert "It is asked again by itself." in page
    assert (Refund.objects.get().status, OutsideCall.objects.get().status) == ("PROCESSING", "PENDING")
    assert sweep_attempts(clock=timezone.now).looked_at == 0


def test_a_refund_made_outside_is_recorded_with_its_evidence_and_nobody_is_told(operator: Client) -> None:
    invoice = paid("DIRECT_PAY")
    page = "record_outside_refund"

    bare = send(operator, invoice, "preview", of_parts(invoice, BASE_FEES="30.00"), page=page)
    assert bare.status_code == 422
    assert "Give what proves it" in bare.content.decode()
    confirm(operator, invoice, {**of_parts(invoice, BASE_FEES="30.00"), "evidence": "Cheque 100200"}, page=page)

    refund = Refund.objects.get()
    assert (refund.status, refund.outcome, refund.evidence) == ("PROCESSED", "MANUAL", "Cheque 100200")
    assert (stored(invoice).status, stored(invoice).manual_amount) == ("PAID", Decimal("30.00"))
    assert OutsideCall.objects.count() == 0


def test_a_wizard_of_what_cannot_be_refunded_says_why(operator: Client) -> None:
    invoice = an_invoice("DIRECT_PAY")

    page = send(operator, invoice, "preview", WHOLE)

    assert page.status_code == 409
    assert "is “Created”; by Card it can be refunded from “Paid”." in page.content.decode()
    assert operator.get(f"{LIST}{invoice.pk}/refund/").status_code == 200
    assert operator.put(f"{LIST}{invoice.pk}/refund/").status_code == 405
    assert operator.get(f"{LIST}999999/refund/").status_code == 404


@pytest.mark.usefixtures("kept_sidebar")
def test_many_lines_take_as_many_queries_as_one(operator: Client) -> None:
    a_priced_filing()
    counts = []
    for lines in (1, 12):
        invoice = paid(lines=(FilingLine("OTANN"),) * lines)
        operator.get(f"{LIST}{invoice.pk}/refund/")
        with CaptureQueriesContext(connection) as queries:
            send(operator, invoice, "preview", WHOLE)
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[0] <= 20
