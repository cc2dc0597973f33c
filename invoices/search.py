"""Invoices found by what is printed on them: whole terms, each looked up in an index of its own."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from django.db import connection

from invoices.models import Invoice
from invoices.querysets import InvoiceQuerySet

# Of one kind of term at most so many are found, the newest: a common amount has hundreds of thousands.
MOST_FOUND = 500
LARGEST_ID = 2**63 - 1
LONGEST_TERM = 100

_whole = re.compile(r"[0-9]{1,19}", re.ASCII)
_amount = re.compile(r"\$?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,13})(\.[0-9]{2})?", re.ASCII)

BY_ID = "select id from invoice where id = %(id)s"
BY_NUMBER = "select invoice_id from invoice_reference where invoice_number = %(text)s limit %(most)s"
BY_BUSINESS = """
select id from invoice where business_identifier = %(text)s and business_identifier <> ''
order by created_at desc limit %(most)s
"""
BY_FOLIO = """
select id from invoice where folio_number = %(given)s and folio_number <> '' order by created_at desc limit %(most)s
"""
BY_ACCOUNT = """
select found.id from payment_account account cross join lateral (
    select id from invoice where account_id = account.id order by created_at desc, id desc limit %(most)s
) found where account.account_number = %(given)s
"""
BY_RECEIPT = "select invoice_id from receipt where receipt_number = %(given)s limit %(most)s"
BY_AMOUNT = "select id from invoice where total = %(amount)s order by created_at desc limit %(most)s"


def found_by_text(term: str) -> InvoiceQuerySet:
    """The invoices whose id, ledger number, receipt, business identifier, folio, account number or total is the term.

    An amount is written with its cents (`33.08`, `1,234.50`), so that whole numbers stay ids. Of each kind at most the
    newest 500 are found. An empty term finds nothing.
    """
    given = unicodedata.normalize("NFC", term.strip())
    if not given or len(given) > LONGEST_TERM or "\x00" in given:
        return Invoice.objects.none()
    amount = _amount_in(given)
    number = int(given) if _whole.fullmatch(given) and int(given) <= LARGEST_ID else None
    statements = [BY_NUMBER, BY_BUSINESS, BY_FOLIO, BY_ACCOUNT, BY_RECEIPT]
    statements += [BY_ID] if number is not None else []
    statements += [BY_AMOUNT] if amount is not None else []
    parameters = {"id": number, "text": given.upper(), "given": given, "amount": amount, "most": MOST_FOUND}
    with connection.cursor() as cursor:
        cursor.execute(" union ".join(f"({statement})" for statement in statements), parameters)
        return Invoice.objects.filter(pk__in=[found for (found,) in cursor.fetchall()])


def _amount_in(term: str) -> Decimal | None:
    """The amount that the term writes with its cents, or with a dollar sign."""
    written = _amount.fullmatch(term)
    if written is None or not (written[2] or term.startswith("$")):
        return None
    return Decimal(written[1].replace(",", "") + (written[2] or ".00"))
