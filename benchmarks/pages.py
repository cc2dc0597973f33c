"""U1: every list and record page of the console, with many payments and invoices: server time and statements."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from benchmarks.billed import make_accounts, make_catalogue, put_invoices
from benchmarks.existing import put, twelve_months
from benchmarks.figures import at_most, table
from benchmarks.sizes import Size
from benchmarks.stand import Stand
from catalogue.quote import Caller, FilingLine
from invoices.models import Invoice
from invoices.operations.creating import NewInvoice, create_invoice
from invoices.operations.refundapprovals import request_refund
from kernel.audit.actors import Actor

TEMPLATE = "bench_pages"
MOST_MS, MOST_QUERIES = 400, 30
LOOKS = 5
SHOWN = 12
OURS = frozenset(config.label for config in apps.get_app_configs() if config.path.startswith(str(settings.BASE_DIR)))


@dataclass(frozen=True, slots=True)
class Looked:
    """One page: its statements, the first look at it in this process, and the looks after that, in milliseconds."""

    address: str
    queries: int
    first_ms: float
    ms: list[float]


def measure(stand: Stand, size: Size) -> None:
    stand.make_template(lambda: _fill(size), template=TEMPLATE)
    stand.fresh_database(template=TEMPLATE)
    client = Client(SERVER_NAME=settings.ALLOWED_HOSTS[0].replace("*", "localhost"))
    client.force_login(User.objects.get(username="bench"))
    looked = [_look(client, address) for address in _addresses()]
    stand.drop_template(TEMPLATE)
    _report(size, looked)


def _fill(size: Size) -> None:
    at = datetime.now(UTC)
    put(*twelve_months(size.many_payments, at=at))
    catalogue = make_catalogue()
    accounts = make_accounts(at=at)
    put_invoices(size.many_invoices, catalogue=catalogue, accounts=accounts, until=at - timedelta(hours=1))
    _one_with_a_life()
    User.objects.create_superuser("bench", password=None)


def _one_with_a_life() -> None:
    """The newest invoice has a story and a refund, so that its page has all of its boxes."""
    at = timezone.now()
    paid = Invoice.objects.filter(status="PAID", payment_method="PAD").order_by("-created_at", "-id")[0]
    request_refund(paid.pk, None, reason="Filed twice", actor=Actor.system("bench"), at=at)
    new = NewInvoice(account=paid.account, product=paid.product_id, lines=(FilingLine("OTANN"),), method="DIRECT_PAY")
    create_invoice(new, caller=Caller(), actor=Actor.api_client("partner"), at=at)


def _addresses() -> Iterator[str]:
    """Every list that the console has, the record page of its latest row, and what people ask the invoices for."""
    yield reverse("admin:index")
    for model in sorted(admin.site._registry, key=lambda model: model._meta.label):
        if model._meta.app_label not in OURS:
            continue
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield path
        newest = model._default_manager.order_by("-pk").values_list("pk", flat=True).first()
        if newest is not None:
            yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[newest])
    invoices = reverse("admin:invoices_invoice_changelist")
    refunded = Invoice.objects.filter(status="CREDITED").values_list("pk", flat=True).first()
    middle = Invoice.objects.order_by("pk")[Invoice.objects.count() // 2]
    yield reverse("admin:invoices_invoice_change", args=[refunded])
    for query in (
        f"q={middle.pk}",
        f"q=REG{middle.pk:08d}",
        f"q={middle.business_identifier}",
        "q=folio 4990",
        f"q={middle.total}",
        "q=A-00017",
        "q=nothing of the kind",
        "status=open",
        "status=APPROVED&age=20",
        "status=CHARGEBACK",
        "method=CC",
        "method=NO_FEE",
        "method=CREDIT",
        "product=VS&method=EFT&status=PAID",
        "account=A-00017",
        "created_from=2026-01-01&created_to=2026-01-31",
    ):
        yield f"{invoices}?{query}"


def _look(client: Client, address: str) -> Looked:
    started = time.perf_counter()
    _require_page(client, address)
    first_ms = (time.perf_counter() - started) * 1000
    with CaptureQueriesContext(connection) as queries:
        _require_page(client, address)
    # Counted now: the next request begins a new list of them.
    statements = len(queries)
    times = []
    for _ in range(LOOKS):
        started = time.perf_counter()
        _require_page(client, address)
        times.append((time.perf_counter() - started) * 1000)
    return Looked(address, statements, first_ms, times)


def _require_page(client: Client, address: str) -> None:
    answer: Any = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code, answer.get("Location"))


def _report(size: Size, looked: list[Looked]) -> None:
    print(f"\npages: {len(looked)} pages, {size.many_payments:,} payments, {size.many_invoices:,} invoices")
    slowest = sorted(looked, key=lambda page: -median(page.ms))[:SHOWN]
    rows = [
        [page.address, str(page.queries), f"{median(page.ms):.0f}", f"{max(page.ms):.0f}", f"{page.first_ms:.0f}"]
        for page in slowest
    ]
    print(table(["the slowest pages", "statements", "median ms", "slowest ms", "first ms"], rows) + "\n")
    most = max(page.queries for page in looked)
    print(at_most("U1 slowest page, median", MOST_MS, max(median(page.ms) for page in looked), "ms"))
    print(at_most("U1 most statements of a page", MOST_QUERIES, most, "statements") + "\n")
