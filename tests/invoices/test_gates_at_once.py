"""An order that meets the closing or the locking of its account: whoever is later sees what the other has done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.closing import _hindrances, register_hindrance
from accounts.models import AccountLock, PaymentAccount
from accounts.operations import AccountNotClosable, close_account, lock_by_hand
from catalogue.quote import Caller, FilingLine
from invoices.models import Invoice
from invoices.operations.creating import AccountMayNotOrder, NewInvoice, create_invoice
from kernel.errors import PaymentsiteError
from tests.invoices.billed import AT, CLIENT, STAFF, a_payer, a_priced_filing

pytestmark = pytest.mark.django_db(transaction=True)
LATER = AT + timedelta(days=30)
ROUNDS = 20


@pytest.fixture
def payer() -> PaymentAccount:
    a_priced_filing()
    return a_payer("EFT")


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    """Who closes an account has looked at everything and waits, with the account's row locked, until it is set."""
    event = threading.Event()
    register_hindrance("zz last of all", lambda account, at: [] if event.wait(30) else ["nobody said go on"])
    yield event
    _hindrances.pop("zz last of all")


def order(payer: PaymentAccount) -> Invoice:
    new = NewInvoice(account=payer, product="CP", method="EFT", lines=(FilingLine("OTANN"),))
    return create_invoice(new, caller=Caller(), actor=CLIENT, at=LATER).invoice


def told(act: Callable[[], Any]) -> str:
    """What the act came to, over a connection of its own."""
    try:
        act()
    except PaymentsiteError as refused:
        return type(refused).__name__
    finally:
        connection.close()
    return "done"


def until_somebody_waits() -> None:
    with connection.cursor() as cursor:
        while True:
            cursor.execute("select count(*) from pg_locks where not granted")
            if cursor.fetchone()[0]:
                return


def test_an_order_that_comes_while_its_account_is_being_closed_is_refused(
    payer: PaymentAccount, go_on: threading.Event
) -> None:
    with ThreadPoolExecutor(2) as threads:
        closing = threads.submit(told, lambda: close_account(payer.pk, actor=STAFF, reason="Moved away", at=LATER))
        ordering = threads.submit(told, lambda: order(payer))
        until_somebody_waits()
        go_on.set()

    assert (closing.result(), ordering.result()) == ("done", AccountMayNotOrder.__name__)
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_closed_account_never_has_an_order_under_way(payer: PaymentAccount, number: int) -> None:
    together = threading.Barrier(2)

    def begun(act: Callable[[], Any]) -> str:
        connection.ensure_connection()
        together.wait(30)
        return told(act)

    with ThreadPoolExecutor(2) as threads:
        closing = threads.submit(begun, lambda: close_account(payer.pk, actor=STAFF, reason="Moved away", at=LATER))
        ordering = threads.submit(begun, lambda: order(payer))

    outcomes = (closing.result(), ordering.result())
    assert outcomes in {("done", AccountMayNotOrder.__name__), (AccountNotClosable.__name__, "done")}
    assert Invoice.objects.count() == (outcomes[1] == "done")
    assert PaymentAccount.objects.get().is_closed == (outcomes[0] == "done")


def test_an_order_is_refused_by_what_is_true_now_and_not_by_what_was_read_before(payer: PaymentAccount) -> None:
    read_before = PaymentAccount.objects.get(pk=payer.pk)
    PaymentAccount.objects.filter(pk=payer.pk).update(eft_enabled=False)
    lock_by_hand(payer.pk, kind="NSF", cause="Bounced", actor=STAFF, at=AT)

    with pytest.raises(AccountMayNotOrder) as refusal:
        order(read_before)

    assert [gate["code"] for gate in refusal.value.context["gates"]] == ["PAD_CURRENTLY_NSF", "EFT_NOT_ENABLED"]
    assert (Invoice.objects.count(), AccountLock.objects.count()) == (0, 1)
