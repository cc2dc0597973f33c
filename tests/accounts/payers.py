"""Accounts for tests, as staff would open them, and what they refer to in the catalogue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from accounts.models import BankDetails, LedgerIdentity, PaymentAccount
from accounts.operations import AccountDetails, accept_pad_terms, open_account, record_ledger_numbers, set_bank_details
from catalogue.models import FeeCode, GLCode, Product
from kernel.audit.actors import Actor

AT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
ACTOR = Actor.system("test")
BANK_ACCOUNT = "4455667"
DETAILS = BankDetails("001", "00020", BANK_ACCOUNT)


def an_account(number: str = "A-100", method: str = "DIRECT_PAY", **details: Any) -> PaymentAccount:
    given = AccountDetails(name=f"Customer {number}", payment_method=method, **details)
    return open_account(number, given, actor=ACTOR, at=AT).account


def a_pad_account(number: str = "A-200") -> tuple[PaymentAccount, LedgerIdentity]:
    """With bank details and accepted terms, known to the ledger, waiting for the day of the first debit."""
    account = an_account(number, "PAD")
    identity = set_bank_details(account.pk, DETAILS, actor=ACTOR, at=AT)
    accept_pad_terms(account.pk, accepted_by="A. Customer", actor=ACTOR, at=AT)
    identity = record_ledger_numbers(
        identity.pk,
        party="P-1",
        ledger_account="L-1",
        site="S-1",
        payment_instrument_number="I-1",
        contact_party="C-1",
        actor=ACTOR,
        at=AT,
    )
    account.refresh_from_db()
    return account, identity


def a_product(code: str = "BTR") -> Product:
    return Product.objects.create(code=code, description=f"Product {code}", payment_methods=["PAD", "EFT"])


def a_fee_code(code: str = "TRF02", amount: str = "1.00") -> FeeCode:
    return FeeCode.objects.create(code=code, amount=amount)


def a_gl_code() -> GLCode:
    return GLCode.objects.create(
        name="A ministry",
        client="112",
        responsibility_centre="32041",
        service_line="35301",
        stob="1278",
        project_code="3200000",
        starts_on="2020-01-01",
    )


def at_once(work: Callable[[], Any], times: int = 8) -> list[Any]:
    """What each of so many threads, each with a connection of its own, gave or raised, all started together."""
    outcomes: list[Any] = []
    barrier = threading.Barrier(times)

    def run() -> None:
        try:
            barrier.wait()
            outcomes.append(work())
        except Exception as failure:
            outcomes.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
