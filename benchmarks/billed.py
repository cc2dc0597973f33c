"""Invoices of past months, put in place by a few statements: as our operations would have left them, but in minutes."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from accounts.models import PaymentAccount
from catalogue.models import FeeCode, FeeSchedule, FilingType, GLCode, GLLink, Product, TaxRate

ACCOUNTS = 2_000
METHODS = ("PAD", "EFT", "DIRECT_PAY", "ONLINE_BANKING", "EJV", "INTERNAL")
PRODUCTS = ("BTR", "PPR", "MHR", "VS")
FILINGS = ("OTANN", "BCINC", "NM620")
BEGAN = date(2020, 1, 1)

# Of a hundred invoices three are still APPROVED, most of these young; the others are PAID. Every tenth has a folio.
INVOICES = """
insert into invoice (
    account_id, product_id, payment_method, status, status_since, business_identifier, filing_id, folio_number,
    dat_number, prepaid_account, routing_slip, details, currency, total, service_fees, gst, paid_amount,
    refunded_amount, credited_amount, manual_amount, pending_amount, payment_date, overdue_date, released_at,
    created_at, created_by, business_key
)
select account_id, product_id, payment_method,
    case when is_open then 'APPROVED' else 'PAID' end, created_at,
    'BC' || lpad((number %% 90000)::text, 7, '0'), 'F' || number,
    case when number %% 10 = 0 then 'folio ' || number %% 5000 else '' end, '', '', '',
    '[{"label": "Filed by", "value": "A. Clerk"}]', 'CAD', total, 1.50, 0.08,
    case when is_open then 0 else total end, 0, 0, 0, 0,
    case when is_open then null else created_at + interval '2 days' end,
    date_trunc('month', created_at) + interval '2 months 14 days', created_at, created_at, 'partner', ''
from (
    select number, (%(accounts)s::bigint[])[1 + number %% cardinality(%(accounts)s::bigint[])] as account_id,
        (%(products)s::text[])[1 + number %% cardinality(%(products)s::text[])] as product_id,
        (%(methods)s::text[])[1 + number %% cardinality(%(methods)s::text[])] as payment_method,
        (number %% 900 * 0.25 + 31.58)::numeric(15, 2) as total,
        %(until)s::timestamptz - (%(rows)s - number) * (interval '365 days' / %(rows)s) as created_at,
        number %% 1000 = 7 or (%(rows)s - number < %(rows)s * 0.03 and number %% 3 < 2) as is_open
    from generate_series(1, %(rows)s) as number
) numbered
order by number
"""
LINES = """
insert into invoice_line (
    invoice_id, fee_schedule_id, filing_type_id, description, quantity, base_fees, priority_fees,
    future_effective_fees, total, service_fees, statutory_gst, service_gst, pst, waived_fees, waived_by, status,
    gl_code_id, fee_gl, service_fee_gl, statutory_gst_gl, service_gst_gl,
    undone_base_fees, undone_priority_fees, undone_future_effective_fees, undone_service_fees, undone_statutory_gst,
    undone_service_gst
)
select id, %(schedule)s, %(filing)s, 'Annual report', 1, total - 1.58, 0, 0, total - 1.58, 1.50, 0, 0.08, 0, 0, '',
    'ACTIVE', %(gl)s, %(dotted)s, %(dotted)s, %(dotted)s, %(dotted)s, 0, 0, 0, 0, 0, 0
from invoice where id > %(after)s order by id
"""
REFERENCES = """
insert into invoice_reference (
    invoice_id, invoice_number, reference_number, status, is_consolidated, created_at, status_since
)
select id, 'REG' || lpad(id::text, 8, '0'), '', case when status = 'PAID' then 'COMPLETED' else 'ACTIVE' end, false,
    created_at, created_at
from invoice where id > %(after)s order by id
"""
RECEIPTS = """
insert into receipt (
    invoice_id, receipt_number, amount, currency, receipt_date, source, created_at, created_by
)
select id, 'S' || id, total, 'CAD', payment_date, 'settlement', payment_date, 'settlement'
from invoice where id > %(after)s and status = 'PAID' order by id
"""


def make_catalogue() -> dict[str, Any]:
    """Four products with three filings each at 30.00, booked to one GL code; what `put_invoices` needs of them."""
    TaxRate.objects.create(tax_type="GST", rate=Decimal("0.0500"), starts_on=BEGAN)
    fee = FeeCode.objects.create(code="EN101", amount=Decimal("30.00"))
    service = FeeCode.objects.create(code="TRF01", amount=Decimal("1.50"))
    gl = GLCode.objects.create(
        name="Revenue",
        client="112",
        responsibility_centre="32363",
        service_line="34725",
        stob="4375",
        project_code="3200000",
        starts_on=BEGAN,
    )
    for code in FILINGS:
        FilingType.objects.create(code=code, description=f"Filing {code}")
    schedule = None
    for product in PRODUCTS:
        Product.objects.create(code=product, description=f"Product {product}", payment_methods=list(METHODS))
        for filing in FILINGS:
            schedule = FeeSchedule.objects.create(
                product_id=product,
                filing_type_id=filing,
                fee_code=fee,
                service_fee_code=service,
                service_gst=True,
                starts_on=BEGAN,
            )
            GLLink.objects.create(fee_schedule=schedule, gl_code=gl, starts_on=BEGAN)
    assert schedule is not None
    return {"schedule": schedule.pk, "filing": FILINGS[-1], "gl": gl.pk, "dotted": gl.dotted}


def make_accounts(*, at: datetime) -> list[int]:
    """So many accounts that pay by card; their ids."""
    made = PaymentAccount.objects.bulk_create(
        PaymentAccount(
            account_number=f"A-{number:05d}", name=f"Customer {number}", payment_method="DIRECT_PAY", created_at=at
        )
        for number in range(ACCOUNTS)
    )
    return [account.pk for account in made]


def put_invoices(rows: int, *, catalogue: dict[str, Any], accounts: list[int], until: datetime) -> None:
    """So many invoices over the year before `until`, each with its line, number and, when paid, receipt."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select coalesce(max(id), 0) from invoice")
        (after,) = cursor.fetchone()
        values = {
            "rows": rows,
            "accounts": accounts,
            "products": list(PRODUCTS),
            "methods": list(METHODS),
            "until": until,
            "after": after,
            **catalogue,
        }
        for statement in (INVOICES, LINES, REFERENCES, RECEIPTS):
            cursor.execute(statement, values)
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze invoice, invoice_line, invoice_reference, receipt, payment_account")
