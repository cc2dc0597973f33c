"""The check of time zone rules against the database's own."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from kernel import checks

pytestmark = pytest.mark.django_db


def test_zones_that_agree_give_no_warning(settings: Settings) -> None:
    settings.LEDGER_ZONE = settings.STAGING_ZONE = ZoneInfo("Asia/Tokyo")

    assert checks.zones_agree(None, databases=["default"]) == []


def test_a_zone_whose_rules_differ_is_named_with_the_day(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LEDGER_ZONE = settings.STAGING_ZONE = ZoneInfo("Asia/Tokyo")
    really = checks._in_postgresql
    monkeypatch.setattr(checks, "_in_postgresql", lambda *asked: really(*asked) + timedelta(hours=1))

    found = checks.zones_agree(None, databases=["default"])

    assert [message.id for message in found] == ["kernel.W001"]
    assert "Asia/Tokyo" in found[0].msg


def test_without_a_database_nothing_is_asked() -> None:
    assert checks.zones_agree(None, databases=None) == []
