"""What invoices leave behind: all of it compared before and after a refusal, and what must hold after a race."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db.models import Model

from accounts.models import AccountLock, LedgerIdentity
from invoices.invariants import INVARIANTS
from invoices.models import (
    CardAttempt,
    Credit,
    CreditApplication,
    Invoice,
    InvoiceLine,
    InvoiceReference,
    OutsideCall,
    Receipt,
    Refund,
    RefundLine,
)
from kernel.approvals.models import ApprovalRequest
from kernel.audit.models import AuditEntry
from kernel.errors import PaymentsiteError
from kernel.invariants.operations import verify
from kernel.outbox.models import OutboxEvent
from tests.accounts.payers import at_once
from tests.invoices.billed import AT

TABLES: tuple[type[Model], ...] = (
    *(Invoice, InvoiceLine, InvoiceReference, Receipt, Credit, CreditApplication, Refund, RefundLine),
    *(CardAttempt, OutsideCall, AccountLock, LedgerIdentity, ApprovalRequest, AuditEntry, OutboxEvent),
)


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row that an operation on invoices may write."""
    return {table.__name__: list(table._default_manager.order_by("pk").values()) for table in TABLES}


@contextmanager
def refused(error: type[PaymentsiteError]) -> Iterator[pytest.ExceptionInfo[Any]]:
    """What happens within is refused with this error, and leaves nothing, not even an audit entry."""
    before = everything()
    with pytest.raises(error) as refusal:
        yield refusal
    assert everything() == before


def side_by_side(*works: Callable[[], Any]) -> list[Any]:
    """What each gave or raised, in the order in which they ended; each in a thread with a connection of its own."""
    waiting = list(works)
    return at_once(lambda: waiting.pop()(), times=len(works))


def breaches() -> dict[str, list[str]]:
    """The ids that break an invariant of the invoices, by the invariant's name."""
    outcomes = verify(only=[invariant.name for invariant in INVARIANTS], at=AT)
    return {
        outcome.invariant.name: [breach.id for breach in outcome.look.breaches]
        for outcome in outcomes
        if outcome.is_broken
    }
