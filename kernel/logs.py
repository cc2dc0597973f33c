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
from structlog.contextvars import get_contextvars

from kernel.masking import masked_fields, masked_text

# What every line of a request has first, after the five that each line has.
LEADING_FIELDS = ("request_id", "actor", "action")
# What logging itself puts on a record, and what frameworks add whose text would show paths, headers and bodies.
ATTRIBUTES_OF_RECORDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message", "asctime", "taskName", "request", "server_time", "color_message"
}  # fmt: skip
LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "warning": "WARNING", "error": "ERROR"}


def logging_settings(level: str, *, role: str = "command") -> dict[str, Any]:
    """A dictConfig for LOGGING of Django and for `log_dictconfig` of granian; plain enough to be written as JSON.

    `level` is a value of LOG_LEVEL, `role` says which program of the stack writes. A service's stdout is its event
    stream; a command's stdout is its answer to whoever typed it, so its log goes to stderr.
    """
    stream = "ext://sys.stderr" if role == "command" else "ext://sys.stdout"
    ours = {"handlers": [], "level": LEVELS[level.lower()], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "kernel.logs.json_formatter", "role": role}},
        "handlers": {
            "stream": {"class": "logging.StreamHandler", "stream": stream, "formatter": "json"},
        },
        "root": {"handlers": ["stream"], "level": LEVELS[level.lower()]},
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
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return JSONLines(role)


class JSONLines(logging.Formatter):
    """One record as one line. Written out here, because structlog's own formatter costs more than all the rest."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line = {
            "timestamp": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": masked_text(record.getMessage()),
            "logger": record.name,
            "role": self.role,
        }
        return _as_json(line | masked_fields({key: _plain(value) for key, value in self._fields(record).items()}))

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        given = {key: value for key, value in record.__dict__.items() if key not in ATTRIBUTES_OF_RECORDS}
        fields = get_contextvars() | given
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        leading = {key: fields.pop(key) for key in LEADING_FIELDS if key in fields}
        return leading | fields


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


def _as_json(line: dict[str, Any]) -> str:
    try:
        return orjson.dumps(line).decode()
    except (TypeError, ValueError):
        # Lone surrogates and integers beyond 64 bits: the line is kept, as text.
        text = {key: str(value).encode(errors="replace").decode() for key, value in line.items()}
        return orjson.dumps(text).decode()
