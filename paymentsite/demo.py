"""Invented data for a first look and for trials: staged rows with every kind of trouble, channels, an API client."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts.operations import Reach, add_client, issue_key, set_reach
from accounts.scopes import ACCOUNTS_TERMS, FEES_EXCLUDE_SERVICE, FEES_WAIVE, INVOICES_READ, REFUNDS_APPROVE, SCOPES
from accounts.seeds import load_accounts
from catalogue.seeds import load_catalogue
from invoices.seeds import load_invoices
from kernel.audit.actors import Actor
from payments.operations.channels import create_channel, new_secret
from payments.operations.staging_import import StagingImport, stage_lines
from payments.operations.staging_table import create_staging_table
from payments.stagingfile import StagingLine, read_staging_file
from payments.states import SignatureScheme
from paymentsite.stack.preparation import write_secret

DEMO_FILE = Path(settings.BASE_DIR) / "fixtures" / "demo_payments.csv"
# The day on which the file's newest payments were made; rows are moved as many whole days as have passed since.
DEMO_FILE_ENDS_AT = datetime(2026, 11, 20, 9, 0)  # noqa: DTZ001 - the staging table's moments have no zone
REASON = "Demo data"
DEMO_PARTNER = "demo-partner"
DEMO_CHANNELS: tuple[dict[str, Any], ...] = (
    {"slug": "generic", "name": "Any sender, plain format", "adapter": "generic"},
    {"slug": "issuing-bank", "name": "Issuing bank", "adapter": "issuing_bank"},
    {
        "slug": "merchant-pos",
        "name": "Merchant point of sale",
        "adapter": "merchant_pos",
        "scheme": SignatureScheme.PLAIN_HMAC,
    },
    {
        "slug": "loan-portal",
        "name": "Loan portal, format set in the console",
        "adapter": "configured",
        "mapping": {
            "reference_number": "payment.ref",
            "loan_account_number": "loan.number",
            "cif": "loan.customer",
            "amount": {"path": "payment.cents", "transforms": ["minor_units"]},
            "payment_date": "payment.paid_at",
        },
    },
)
CHANNELS = ("online-banking", "issuing-bank", "merchant-pos", "branch-counter", None)
DUPLICATE_EVERY = 20


def stage_demo_file(*, at: datetime) -> StagingImport:
    """Stages the demo file, moved to end at `at`; makes the staging table where there is none."""
    create_staging_table()
    with DEMO_FILE.open(encoding="utf-8", newline="") as lines:
        moved = (_moved(line, at) for line in read_staging_file(lines))
        return stage_lines(moved, origin=DEMO_FILE.name, at=at)


def load_demo_clients(*, at: datetime) -> None:
    """Makes the demo channels and two demo API clients, and keeps what opens them in the state folder's secrets."""
    actor = Actor.command("load_demo")
    webhook_secret = new_secret()
    for channel in DEMO_CHANNELS:
        secret = webhook_secret if channel["slug"] == "generic" else None
        create_channel(**channel, secret=secret, actor=actor, at=at, reason=REASON)
    write_secret(settings.STATE.demo_webhook_secret_file, webhook_secret)
    # A partner's system may do everything but leave fees out, which is for systems of our own.
    scopes = set(SCOPES) - {FEES_WAIVE, FEES_EXCLUDE_SERVICE, ACCOUNTS_TERMS}
    partner = _demo_key("Demo partner", DEMO_PARTNER, scopes, actor=actor, at=at)
    write_secret(settings.STATE.demo_api_key_file, partner)
    # Whoever asked for a refund cannot approve it: that takes a second system.
    approver = _demo_key("Demo approver", "demo-approver", {INVOICES_READ, REFUNDS_APPROVE}, actor=actor, at=at)
    write_secret(settings.STATE.demo_approver_key_file, approver)


def _demo_key(name: str, slug: str, scopes: set[str], *, actor: Actor, at: datetime) -> str:
    client = add_client(name=name, slug=slug, actor=actor, at=at, reason=REASON)
    set_reach(client.pk, Reach(accounts=None, products=None), actor=actor, at=at, reason=REASON)
    return issue_key(client.pk, scopes=scopes, actor=actor, at=at, reason=REASON).text.reveal()


def load_demo_records(*, at: datetime) -> None:
    """What is charged and where it is booked, who pays, who is paid, and what is owed. What is there is left alone."""
    load_catalogue(at)
    load_accounts(at)
    load_invoices(partner=DEMO_PARTNER, at=at)


def stage_generated_rows(count: int, *, at: datetime, seed: int) -> StagingImport:
    """Stages so many invented rows, every twentieth a repeat of the one before; a seed always gives the same rows."""
    create_staging_table()
    return stage_lines(_generated(count, at, seed), origin=f"generated with seed {seed}", at=at)


def _moved(line: StagingLine, at: datetime) -> StagingLine:
    if line.row is None:
        return line
    passed = at.astimezone(settings.STAGING_ZONE).replace(tzinfo=None) - DEMO_FILE_ENDS_AT
    moment: datetime = line.row[4] + passed
    return replace(line, row=(*line.row[:4], moment.replace(microsecond=0), *line.row[5:]))


def _generated(count: int, at: datetime, seed: int) -> Iterator[StagingLine]:
    chance = random.Random(seed)
    now = at.astimezone(settings.STAGING_ZONE).replace(tzinfo=None, microsecond=0)
    row: tuple[object, ...] = ()
    for number in range(1, count + 1):
        if number % DUPLICATE_EVERY or not row:
            account = chance.randrange(10_000_000, 10_050_000)
            row = (
                f"TRIAL-{seed}-{number:08d}",
                f"LN{account}",
                f"CIF{account % 9973:05d}",
                Decimal(chance.randrange(1_00, 2_500_00)) / 100,
                now - timedelta(seconds=chance.randrange(60 * 86400)),
                chance.choice(CHANNELS),
                None,
            )
        yield StagingLine(number, {}, row)
