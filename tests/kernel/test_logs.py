from __future__ import annotations

import io
import json
import logging
import logging.config
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import structlog
from django.db import IntegrityError
from structlog.contextvars import clear_contextvars

from kernel.logs import json_formatter, logging_settings
from kernel.requests import bind_actor, bind_request_id


class Written:
    """A logger of its own with our formatter, and what it wrote."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(json_formatter("web"))
        self.logger = logging.Logger("payments.ingest", logging.DEBUG)
        self.logger.addHandler(handler)

    def line(self) -> dict[str, Any]:
        text = self.stream.getvalue()
        assert text.endswith("\n")
        assert text.count("\n") == 1
        parsed: dict[str, Any] = json.loads(text)
        return parsed


@pytest.fixture
def written() -> Iterator[Written]:
    clear_contextvars()
    yield Written()
    clear_contextvars()
    structlog.reset_defaults()


def test_extra_fields_come_out_as_json_fields_beside_the_constant_sentence(written: Written) -> None:
    bind_request_id("r-1")
    bind_actor("user:7")
    batch = uuid.uuid4()
    written.logger.info(
        "Chunk of staged rows recorded",
        extra={"action": "ingest_staging", "batch_id": batch, "rows": 1000, "amount": Decimal("1.50")},
    )
    line = written.line()
    at = datetime.fromisoformat(line.pop("timestamp"))
    assert at.tzinfo == UTC
    assert line == {
        "level": "info",
        "event": "Chunk of staged rows recorded",
        "logger": "payments.ingest",
        "role": "web",
        "request_id": "r-1",
        "actor": "user:7",
        "action": "ingest_staging",
        "batch_id": str(batch),
        "rows": 1000,
        "amount": "1.50",
    }


def test_the_timestamp_is_iso_8601_in_utc(written: Written) -> None:
    written.logger.info("A sentence")
    assert written.stream.getvalue().startswith('{"timestamp":"20')
    assert written.line()["timestamp"].endswith("Z")


def test_private_fields_and_private_shapes_never_reach_the_line(written: Written) -> None:
    written.logger.warning(
        "Notice refused for %s",
        "123456789012345",
        extra={
            "loan_account_number": "L-77",
            "holder_name": "Zoë Example",
            "headers": {"Authorization": "Bearer abc", "X-Trace": "ps_live_12345"},
            "note": "key whsec_abcdef was used",
        },
    )
    text = written.stream.getvalue()
    for private in ("L-77", "Zoë", "123456789012345", "abc", "12345", "whsec_"):
        assert private not in text
    assert written.line()["headers"] == {"Authorization": "[masked]", "X-Trace": "[masked]"}


def test_an_exception_is_one_line_without_the_values_it_repeats(written: Written) -> None:
    message = "duplicate key\nDETAIL:  Key (account)=(L-77) already exists."
    try:
        raise IntegrityError(message)
    except IntegrityError:
        written.logger.exception("Batch failed at account 999999999999")
    line = written.line()
    assert "Traceback" in line["exception"]
    assert "duplicate key" in line["exception"]
    assert "L-77" not in json.dumps(line)
    assert line["event"] == "Batch failed at account [masked]"


def test_objects_show_their_class_and_never_their_text(written: Written) -> None:
    class Person:
        pk = 7

        def __str__(self) -> str:
            return "Zoë Example"

        __repr__ = __str__

    written.logger.info("A sentence", extra={"who": Person(), "several": [Person(), object()]})
    line = written.line()
    assert (line["who"], line["several"]) == ("Person 7", ["Person 7", "object"])


def test_the_request_that_django_puts_on_a_record_is_dropped(written: Written) -> None:
    written.logger.error("Internal Server Error", extra={"status_code": 500, "request": object()})
    assert "request" not in written.line()
    assert written.line()["status_code"] == 500


@pytest.mark.parametrize("odd", ["\ud800", 2**70, float("nan"), {1: {2: {3: {4: {5: {6: "deep"}}}}}}, b"bytes"])
def test_odd_values_never_lose_the_line(written: Written, odd: object) -> None:
    written.logger.info("A sentence", extra={"odd": odd})
    assert written.line()["event"] == "A sentence"


def test_loggers_of_structlog_take_the_same_path(written: Written) -> None:
    logger = structlog.wrap_logger(written.logger)
    logger.info("A sentence", payment_id=7, password="hunter2")
    line = written.line()
    assert (line["event"], line["payment_id"], line["password"]) == ("A sentence", 7, "[masked]")
    assert (line["role"], line["logger"], line["level"]) == ("web", "payments.ingest", "info")


@pytest.mark.parametrize("name", ["django", "django.server", "celery", "celery.app.trace", "granian", "_granian"])
def test_frameworks_write_through_the_one_handler(name: str) -> None:
    settings = logging_settings("warn", role="worker")
    assert settings["root"] == {"handlers": ["stream"], "level": "WARNING"}
    assert settings["loggers"][name]["handlers"] == []
    assert settings["loggers"][name]["propagate"] is True
    assert settings["handlers"]["stream"]["stream"] == "ext://sys.stdout"
    assert settings["formatters"]["json"]["role"] == "worker"
    assert json.loads(json.dumps(settings)) == settings


def test_a_commands_log_leaves_its_answer_on_stdout_alone() -> None:
    assert logging_settings("info", role="command")["handlers"]["stream"]["stream"] == "ext://sys.stderr"
