"""A term finds the invoices on which it is printed, and nothing else."""

from __future__ import annotations

import pytest

from invoices.models import Invoice
from invoices.operations.settling import schedule, settle
from invoices.search import found_by_text
from tests.invoices.billed import AT, STAFF, an_invoice, evidence_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def invoice() -> Invoice:
    """One that has everything that can be searched for, beside one that has nothing of it."""
    an_invoice("EFT")
    found = an_invoice("PAD", business_identifier="BC0871234", folio_number="File 7/a")
    schedule(found.pk, invoice_number="REGT00004711", actor=STAFF, at=AT)
    settle(found.pk, evidence_of(found, "RCPT-9"), actor=STAFF, at=AT)
    return found


@pytest.mark.parametrize(
    "term", ["REGT00004711", "regt00004711", "BC0871234", "bc0871234", "File 7/a", "A-PAD", "RCPT-9", "  BC0871234 "]
)
def test_what_is_printed_on_an_invoice_finds_it_alone(invoice: Invoice, term: str) -> None:
    assert list(found_by_text(term).values_list("pk", flat=True)) == [invoice.pk]


def test_its_id_finds_it_alone(invoice: Invoice) -> None:
    assert list(found_by_text(str(invoice.pk)).values_list("pk", flat=True)) == [invoice.pk]


@pytest.mark.parametrize("term", ["33.08", "$33.08"])
def test_an_amount_finds_all_of_that_total(invoice: Invoice, term: str) -> None:
    assert found_by_text(term).count() == 2


@pytest.mark.parametrize("term", ["", "   ", "%", "BC08", "33.09", "file 7/A", "x" * 101, "a\x00b", "9" * 40])
def test_parts_wildcards_and_nonsense_find_nothing(invoice: Invoice, term: str) -> None:
    assert found_by_text(term).count() == 0
