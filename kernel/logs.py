"""The log: one JSON object a line on stdout, from every program of ours, with nothing in it that must stay inside.

Write `logger.info("A constant sentence", extra={"action": "verb_noun", "payment_id": …})`; request id, actor and role
come by themselves. kernel.masking decides what is hidden.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kernel.masking import masked_fields, masked_text

# The first keys of every line, in this order.
LEADING_KEYS = ("timestamp", "level", "event", "logger", "role", "request_id", "actor", "action")
# These we write ourselves, so that nothing in them needs masking.
OWN_KEYS = ("timestamp", "level", "logger", "role")
# Objects that frameworks put on records; written out they would show paths, headers and bodies.
DROPPED_KEYS = ("request", "server_time", "color_message", "_record", "_from_structlog")
LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "warning": "WARNING", "error": "ERROR"}


def logging_settings(level: str, *, role: str = "command") -> dict[str, Any]:
    """A dictConfig for LOGGING of Django and for `log_dictconfig` of granian; plain enough to be written as JSON.

    `level` is a value of LOG_LEVEL, `role` says which program of the stack writes.
    """
    ours = {"handlers": [], "level": LEVELS[level.lower()], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "kernel.logs.json_formatter", "role": role}},
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"},
        },
        "root": {"handlers": ["stdout"], "level": LEVELS[level.lower()]},
        "loggers": {
            # Each of these brings handlers of its own, which would write the same line a second time as text.
            **{name: dict(ours) for name in ("django", "django.server", "celery", "granian", "_granian")},
            # Every answer has its access line already; here only what broke is said.
            "django.request": {"handlers": [], "level": "ERROR", "propagate": True},
            "granian.access": {"handlers": [], "level": "ERROR", "propagate": True},
            # Says "Task received" and "Task succeeded" with arguments and results.
            "celery.worker.strategy": {"handlers": [], "level": "WARNING", "propagate": True},
            "celery.app.trace": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }


def json_formatter(role: str) -> logging.Formatter:
    """The formatter that LOGGING names; also sets structlog's own loggers on the same path."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(role),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared_processors(role), structlog.stdlib.ExtraAdder()],
        processors=[structlog.processors.format_exc_info, _plain_and_masked, _in_order, _as_json],
    )


def _shared_processors(role: str) -> list[Processor]:
    def add_role(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["role"] = role
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_timestamp,
        add_role,
    ]


def _add_timestamp(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    at = datetime.fromtimestamp(record.created, UTC) if record is not None else datetime.now(UTC)
    event["timestamp"] = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return event


def _plain_and_masked(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for key in DROPPED_KEYS:
        event.pop(key, None)
    stack = event.pop("stack_info", None)
    if stack:
        event["stack"] = str(stack)
    own = {key: event.pop(key) for key in OWN_KEYS if key in event}
    return own | masked_fields({key: _plain(value) for key, value in event.items()})


def _plain(value: object, depth: int = 0) -> Any:
    """The value as JSON has it. An object of any other class shows its class and key only: its text may hold names."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if depth < 5 and isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if depth < 5 and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    key = getattr(value, "pk", None)
    return type(value).__name__ if key is None else f"{type(value).__name__} {key}"


def _in_order(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    ordered = {key: event.pop(key) for key in LEADING_KEYS if key in event}
    return {**ordered, **event}


def _as_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    try:
        return orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):
        # Lone surrogates and integers beyond 64 bits: the line is kept, as text.
        readable = {str(key): masked_text(str(value)) for key, value in event.items()}
        return orjson.dumps({key: value.encode(errors="replace").decode() for key, value in readable.items()}).decode()
