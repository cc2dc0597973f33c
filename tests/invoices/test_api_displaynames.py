"""What partners are shown as the status of an invoice, and that they find it by the same name."""

from __future__ import annotations

import pytest

from invoices.operations.refunding import finish_refund, record_manual_refund
from invoices.operations.settling import note_gl_change
from tests.invoices.billed import AT, STAFF, a_paid_invoice, a_part, a_priced_filing, an_invoice
from tests.invoices.billed import refund as refunded
from tests.invoices.partners import INVOICES, Partner, answered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


def test_each_display_name_finds_what_is_shown_under_it(partner: Partner) -> None:
    an_invoice("EFT")
    a_paid_invoice("EFT", number="R1")
    to_be_sent_again = a_paid_invoice("DIRECT_PAY", number="R2")
    note_gl_change(to_be_sent_again.pk, is_posted=False, actor=STAFF, at=AT)
    credited = a_paid_invoice("PAD", number="R3")
    refunded(credited, a_part(credited, "1.00"))
    given_back = a_paid_invoice("EJV", number="R4")
    part = refunded(given_back, a_part(given_back, "1.00"))
    finish_refund(part.pk, evidence="Voucher 7", final_at=AT, actor=STAFF, at=AT)
    outside = a_paid_invoice("DIRECT_PAY", number="R5")
    record_manual_refund(outside.pk, [a_part(outside, "1.00")], reason="Late", evidence="Cheque 7", actor=STAFF, at=AT)
    note_gl_change(outside.pk, is_posted=False, actor=STAFF, at=AT)

    items = answered(partner.get(INVOICES))["items"]
    assert [(item["status"], item["statusDisplay"]) for item in reversed(items)] == [
        ("APPROVED", "APPROVED"),
        ("PAID", "COMPLETED"),
        ("GL_UPDATED", "COMPLETED"),
        ("PAID", "PARTIALLY_CREDITED"),
        ("PAID", "PARTIALLY_REFUNDED"),
        ("GL_UPDATED", "PARTIALLY_REFUNDED"),
    ]
    for name in ("COMPLETED", "PARTIALLY_CREDITED", "PARTIALLY_REFUNDED"):
        shown = [item["id"] for item in items if item["statusDisplay"] == name]
        found = [item["id"] for item in answered(partner.get(INVOICES, {"status": name}))["items"]]
        assert found == shown, name
