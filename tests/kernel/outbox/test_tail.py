"""Watching a topic from the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from kernel.outbox.relay import Relay

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_event_is_one_line_of_json_with_its_numbers_exact(announce_one: Callable[..., int], topic: str) -> None:
    announce_one(key="A-77", body={"amount": Decimal("9007199254740993.10")})
    Relay().drain()
    shown = io.StringIO()
    call_command("tail_events", topic=topic, from_beginning=True, count=1, timeout=10, stdout=shown)
    line = json.loads(shown.getvalue(), parse_float=Decimal)
    assert line["key"] == "A-77"
    assert line["headers"]["ce_type"] == "thing.happened"
    assert line["body"] == {"amount": Decimal("9007199254740993.10")}


def test_watching_without_a_broker_ends_with_one_clear_line(settings: LazySettings, tmp_path: Path) -> None:
    settings.KAFKA_BROKERS, settings.KAFKA_ADDRESS_FILE = None, tmp_path / "missing"
    with pytest.raises(CommandError, match="Kafka does not answer: The embedded broker"):
        call_command("tail_events", timeout=1)


def test_relaying_without_a_broker_ends_with_one_clear_line(
    queue_events: Callable[..., list[int]], settings: LazySettings, tmp_path: Path
) -> None:
    queue_events(1)
    settings.KAFKA_BROKERS, settings.KAFKA_ADDRESS_FILE = None, tmp_path / "missing"
    with pytest.raises(CommandError, match="nothing is lost"):
        call_command("relay_outbox", "--once")
