"""I1: invoices made one by one beside the bare inserts of the same rows, with few and with many there already.
I2: every search and list page over many invoices. R1: what is stuck, from its index alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import PaymentAccount
from benchmarks.billed import FILINGS, PRODUCTS, make_accounts, make_catalogue, put_invoices
from benchmarks.figures import at_most, rates, spread, table, verdict
from benchmarks.sizes import Size
from benchmarks.stand import Stand
from benchmarks.timing import Timed, timed
from catalogue.quote import Caller, FilingLine
from invoices.models import Invoice
from invoices.operations.creating import NewInvoice, create_invoice
from invoices.search import found_by_text
from kernel.audit.actors import Actor

MANY, FEW = "bench_many_invoices", "bench_few_invoices"
FEW_ROWS = 1_000
CALLER, ACTOR = Caller(), Actor.api_client("partner")
# A goal of ours: an eighth of what the same rows cost by themselves, as fast with many there as with few.
CREATE_GOAL, GROWTH_GOAL = 0.12, 0.8
SEARCH_MS, PAGE_MS, STALE_BUFFERS = 50, 100, 50
LOOKS = 20
# The tables that one invoice by card touches, with the columns that are not defaults; one transaction each.
BARE = """
with made as (
    insert into invoice (
        account_id, product_id, payment_method, status, status_since, business_identifier, filing_id, folio_number,
        dat_number, prepaid_account, routing_slip, details, currency, total, service_fees, gst, paid_amount,
        refunded_amount, credited_amount, manual_amount, pending_amount, overdue_date, created_at, created_by,
        business_key
    ) values (%(account)s, %(product)s, 'DIRECT_PAY', 'CREATED', %(at)s, 'BC0000001', 'F1', '', '', '', '', '[]', 'CAD',
        31.58, 1.50, 0.08, 0, 0, 0, 0, 0, %(at)s, %(at)s, 'partner', '') returning id
), line as (
    insert into invoice_line (
        invoice_id, fee_schedule_id, filing_type_id, description, quantity, base_fees, priority_fees,
        future_effective_fees, total, service_fees, statutory_gst, service_gst, pst, waived_fees, waived_by, status,
        gl_code_id, fee_gl, service_fee_gl, statutory_gst_gl, service_gst_gl, undone_base_fees, undone_priority_fees,
        undone_future_effective_fees, undone_service_fees, undone_statutory_gst, undone_service_gst
    ) select id, %(schedule)s, %(filing)s, 'Filing', 1, 30, 0, 0, 30, 1.50, 0, 0.08, 0, 0, '', 'ACTIVE', %(gl)s,
        %(dotted)s, %(dotted)s, %(dotted)s, %(dotted)s, 0, 0, 0, 0, 0, 0 from made
), reference as (
    insert into invoice_reference (
        invoice_id, invoice_number, reference_number, status, is_consolidated, created_at, status_since
    ) select id, 'REG' || id, '', 'ACTIVE', false, %(at)s, %(at)s from made
)
insert into audit_entry (
    recorded_at, actor, actor_kind, action, object_type, object_id, object_label, reason, request_id
)
select %(at)s, 'partner', 'api_client', 'invoice.created', 'invoices.invoice', id::text, '', '', '' from made
"""


class InvoicingBenchmark:
    def __init__(self, stand: Stand, size: Size) -> None:
        self.stand = stand
        self.made = size.made_invoices
        self.many = size.many_invoices

        def fill(rows: int) -> Callable[[], None]:
            def put() -> None:
                at = datetime.now(UTC)
                self.catalogue = make_catalogue()
                self.accounts = make_accounts(at=at)
                put_invoices(rows, catalogue=self.catalogue, accounts=self.accounts, until=at - timedelta(hours=1))

            return put

        stand.make_template(fill(FEW_ROWS), template=FEW)
        stand.make_template(fill(self.many), template=MANY)

    def create(self, template: str) -> Timed:
        self.stand.fresh_database(template=template)
        accounts = list(PaymentAccount.objects.order_by("pk")[:50])
        before = Invoice.objects.count()

        def work() -> None:
            for number in range(self.made):
                new = NewInvoice(
                    account=accounts[number % 50],
                    product=PRODUCTS[number % 4],
                    lines=(FilingLine(FILINGS[number % 3]),),
                    method="DIRECT_PAY",
                    business_identifier="BC0000001",
                    filing_id=f"F{number}",
                )
                create_invoice(new, caller=CALLER, actor=ACTOR, at=timezone.now())

        done = timed(self.stand, work, units=self.made)
        assert Invoice.objects.count() == before + self.made
        return done

    def bare(self) -> Timed:
        self.stand.fresh_database(template=MANY)
        values = {**self.catalogue, "at": datetime.now(UTC), "product": PRODUCTS[0]}
        before = Invoice.objects.count()

        def work() -> None:
            for number in range(self.made):
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(BARE, values | {"account": self.accounts[number % 50]})

        done = timed(self.stand, work, units=self.made)
        assert Invoice.objects.count() == before + self.made
        return done

    def looks(self) -> list[tuple[str, float, float]]:
        """Each look with its median and slowest time in milliseconds."""
        self.stand.fresh_database(template=MANY)
        middle = Invoice.objects.order_by("pk")[self.many // 2]
        searched: dict[str, Callable[[], Any]] = {
            f"search: {what}": partial(_search, term)
            for what, term in {
                "id": str(middle.pk),
                "ledger number": f"REG{middle.pk:08d}",
                "business identifier": middle.business_identifier,
                "folio": "folio 4990",
                "amount": str(middle.total),
                "account number": "A-00017",
                "nothing": "no such thing",
            }.items()
        }
        newest = Invoice.objects.order_by("-created_at", "-id")
        listed: dict[str, Callable[[], Any]] = {
            "list: newest": lambda: list(newest[:51]),
            "list: one account": lambda: list(newest.filter(account_id=middle.account_id)[:51]),
            "list: APPROVED": lambda: list(newest.filter(status="APPROVED")[:51]),
            "list: one product": lambda: list(newest.filter(product_id=PRODUCTS[0])[:51]),
            "list: a method without invoices": lambda: list(newest.filter(payment_method="CC")[:51]),
            "list: nothing of a status": lambda: list(newest.filter(status="CHARGEBACK")[:51]),
            "list: half a year back": lambda: list(newest.filter(created_at__lt=middle.created_at)[:51]),
        }
        return [(name, *_times(look)) for name, look in (searched | listed).items()]

    def stale_buffers(self) -> tuple[int, bool, int]:
        """Buffers of the query of what is stuck, whether it reads its index alone, and how many rows it finds."""
        self.stand.fresh_database(template=MANY)
        rows = Invoice.objects.stuck_approved(before=timezone.now() - timedelta(days=20))
        query, parameters = rows.query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"explain (analyze, buffers, format json) {query}", parameters)
            (plan,) = cursor.fetchone()
        plan = plan if isinstance(plan, list) else json.loads(plan)
        top = plan[0]["Plan"]
        alone = '"Index Only Scan"' in json.dumps(plan) and '"Seq Scan"' not in json.dumps(plan)
        return top["Shared Hit Blocks"] + top["Shared Read Blocks"], alone, len(rows)


def _search(term: str) -> list[Invoice]:
    return list(found_by_text(term).order_by("-created_at", "-id")[:51])


def _times(look: Callable[[], Any]) -> tuple[float, float]:
    look()
    times = []
    for _ in range(LOOKS):
        started = time.perf_counter()
        look()
        times.append((time.perf_counter() - started) * 1000)
    return median(times), max(times)


def measure(stand: Stand, size: Size) -> None:
    benchmark = InvoicingBenchmark(stand, size)
    few, many, bare = [], [], []
    for repetition in range(size.repetitions):
        first = benchmark.bare()
        few.append(benchmark.create(FEW))
        many.append(benchmark.create(MANY))
        bare.append((first, benchmark.bare()))
        print(f"invoicing, repetition {repetition + 1} of {size.repetitions}: {many[-1].run.rate:,.0f} invoices/s")
    looks = benchmark.looks()
    buffers, alone, found = benchmark.stale_buffers()
    stand.drop_template(FEW)
    stand.drop_template(MANY)
    _report(size, few, many, bare)
    print(table(["look", "median ms", "slowest ms"], [[name, f"{mid:.1f}", f"{top:.1f}"] for name, mid, top in looks]))
    print()
    search = max(top for name, _, top in looks if name.startswith("search"))
    page = max(top for name, _, top in looks if name.startswith("list"))
    print(at_most("I2 slowest search", SEARCH_MS, search, "ms"))
    print(at_most("I3 slowest list page", PAGE_MS, page, "ms"))
    kind = "its index alone" if alone else "the table too"
    print(f"what is stuck: {found:,} of {size.many_invoices:,} invoices, read from {kind}")
    print(at_most("R1 buffers of what is stuck", STALE_BUFFERS, buffers if alone else float("inf"), "buffers") + "\n")


def _report(size: Size, few: list[Timed], many: list[Timed], bare: list[tuple[Timed, Timed]]) -> None:
    means = [(first.run.rate + last.run.rate) / 2 for first, last in bare]
    ratios = [done.run.rate / mean for done, mean in zip(many, means, strict=True)]
    growth = [each.run.rate / other.run.rate for each, other in zip(many, few, strict=True)]
    both = [done for pair in bare for done in pair]
    rows = [
        _row(f"bare inserts, {size.many_invoices:,} there", both, "1"),
        _row(f"create_invoice, {size.many_invoices:,} there", many, spread(ratios)),
        _row(f"create_invoice, {FEW_ROWS:,} there", few, ""),
    ]
    print(f"\ninvoicing: {size.made_invoices:,} invoices one after the other, one process, n = {size.repetitions}")
    print(table(["", "invoices/s", "/ bare", "server CPU us", "client CPU us", "WAL bytes"], rows) + "\n")
    print(verdict("I1 create / bare inserts", CREATE_GOAL, ratios, means))
    print(verdict("I4 create with many / with few", GROWTH_GOAL, growth, [done.run.rate for done in few]) + "\n")


def _row(name: str, done: list[Timed], ratio: str) -> list[str]:
    return [
        name,
        rates([each.run for each in done]),
        ratio,
        spread([each.run.server_cpu_us for each in done], digits=0),
        spread([each.run.own_cpu_us for each in done], digits=0),
        spread([each.wal_per_row for each in done], digits=0),
    ]
