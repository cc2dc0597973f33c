"""A bank account number is in one column, encrypted, and on the one page that somebody asked for with a reason."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import LedgerIdentity, PaymentAccount
from accounts.operations import accept_pad_terms, record_ledger_numbers
from kernel.logs import json_formatter
from tests.accounts.payers import ACTOR, AT, an_account
from tests.console.people import signed_in
from tests.invoices.billed import a_priced_filing
from tests.invoices.partners import INVOICES, Partner, an_order, answered

pytestmark = pytest.mark.django_db(transaction=True)
# Too short to be masked by its shape: what hides it is that nobody writes it.
FIRST, SECOND, REFUSED = "84736251948", "39517462805", "64738291057"
NUMBERS = (FIRST, SECOND, REFUSED)
LIST = "/admin/accounts/paymentaccount/"
PAGES = (
    "/admin/",
    LIST,
    "/admin/audit/auditentry/",
    "/admin/outbox/outboxevent/",
    "/admin/jobs/jobrun/",
    "/admin/invoices/invoice/",
)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Every line that anything here logs, down to the last detail, in the form in which it leaves the program."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(json_formatter("web"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def holding(text: str) -> list[str]:
    """The tables with a row in which the text is, also as bytes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select oid::regclass::text from pg_class where relkind in ('r', 'p') and not relispartition "
            "and relnamespace = 'public'::regnamespace order by 1"
        )
        tables = [name for (name,) in cursor.fetchall()]
        assert len(tables) > 50
        return [table for table in tables if _is_in(cursor, table, text)]


def _is_in(cursor: Any, table: str, text: str) -> bool:
    sql = f"select exists(select from {table} as t where t::text like any (%s))"
    cursor.execute(sql, [[f"%{text}%", f"%{text.encode().hex()}%"]])
    return bool(cursor.fetchone()[0])


def act(person: Client, account: PaymentAccount, action: str, **answers: str) -> str:
    given = {"confirmed": "yes", "reason": "Ticket 7"} | answers
    return person.post(f"{LIST}{account.pk}/{action}/", given, follow=True).content.decode()


def bank(number: str, branch: str = "00130") -> dict[str, str]:
    return {"bank_number": "004", "bank_branch_number": branch, "bank_account_number": number}


def a_life_of_a_debited_account(person: Client, account: PaymentAccount) -> list[str]:
    """Bank details given, refused and changed, terms, the ledger's numbers, a lock and its lifting; the pages."""
    told = [act(person, account, "set_bank_details", **bank(FIRST))]
    told.append(act(person, account, "set_bank_details", **bank(REFUSED, branch="x")))
    assert LedgerIdentity.objects.get().bank_account_number == FIRST
    told.append(act(person, account, "set_bank_details", **bank(SECOND)))
    accept_pad_terms(account.pk, accepted_by="A. Customer", actor=ACTOR, at=AT)
    live = LedgerIdentity.objects.live().get()
    record_ledger_numbers(live.pk, party="P-1", ledger_account="L-1", site="S-1", actor=ACTOR, at=AT)
    told.append(act(person, account, "lock", kind="NSF", cause="Bounced"))
    exported: Any = person.get(f"{LIST}locked.csv")
    told.append(b"".join(exported).decode())
    assert "A-PAD" in told[-1]
    lock = account.locks.get()
    told.append(act(person, account, "lift_lock", kind="NSF", lock=str(lock.pk)))
    return told


def orders_and_answers(account: PaymentAccount) -> list[str]:
    """Everything that a partner hears of the account: an order twice under one key, itself, the list, the export."""
    a_priced_filing()
    partner, key = Partner(), str(uuid4())
    order = an_order(account.account_number)
    first = answered(partner.post(INVOICES, order, key=key), 201)
    told = [str(first), partner.post(INVOICES, order, key=key).content.decode()]
    for path in ("accounts", f"accounts/{account.account_number}", "invoices", f"invoices/{first['id']}"):
        told.append(str(answered(partner.get(f"/api/v1/{path}"))))
    exported: Any = partner.get(f"{INVOICES}/export", {"format": "csv"})
    told.append(b"".join(exported).decode())
    assert account.account_number in told[-1]
    return told


def test_no_number_is_in_a_table_an_answer_a_page_an_export_or_a_log(written: io.StringIO, settings: Any) -> None:
    operator = signed_in("operator")
    account = an_account("A-PAD", "PAD")

    told = a_life_of_a_debited_account(operator, account)
    account.refresh_from_db()
    assert [identity.status for identity in account.ledger_identities.order_by("pk")] == ["INACTIVE", "ACTIVE"]
    revealed = act(operator, account, "reveal", method="PAD")
    told += orders_and_answers(account)
    told += [operator.get(page).content.decode() for page in (*PAGES, f"{LIST}{account.pk}/change/")]
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.FIELD_ENCRYPTION_KEYS]
    out = io.StringIO()
    call_command("rotate_field_keys", stdout=out)
    told.append(out.getvalue())

    assert revealed.count(SECOND) == 1
    assert FIRST not in revealed
    # The search finds what is there, in text and in the bytes of an answer that is kept.
    assert {"audit_entry", "idempotent_request", "payment_account"} <= set(holding("A-PAD"))
    assert "account.bank-account-revealed" in str(operator.get("/admin/audit/auditentry/").content)
    assert '"action":"answer_request"' in written.getvalue().replace(" ", "")
    for number in NUMBERS:
        assert holding(number) == []
        assert number not in written.getvalue()
        assert [text for text in told if number in text] == []
    assert list(account.ledger_identities.order_by("pk").values_list("bank_account_number", flat=True)) == [
        FIRST,
        SECOND,
    ]
