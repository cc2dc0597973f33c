"""Asserts that a refusal has changed nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from catalogue.models import FeeCode, FeeSchedule, GLCode, GLLink, Product, TaxRate
from kernel.audit.models import AuditEntry
from kernel.errors import PaymentsiteError


def is_refused(error: type[PaymentsiteError], act: Callable[[], object]) -> PaymentsiteError:
    """The refusal; nothing in the catalogue or the audit may be different after it."""
    kinds = (Product, FeeCode, FeeSchedule, GLCode, GLLink, TaxRate, AuditEntry)
    before = [list(kind._default_manager.order_by("pk").values()) for kind in kinds]
    with pytest.raises(error) as refused:
        act()
    assert [list(kind._default_manager.order_by("pk").values()) for kind in kinds] == before
    return refused.value
