"""A format that staff describe: for each of our fields, where it stands in the sender's body, and how to turn it.

Example: {"reference_number": "data.payment.ref", "amount": {"path": "items[0].cents", "transforms": ["minor_units"]}}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from kernel.currencies import CURRENCY_EXPONENTS
from kernel.errors import FieldError
from payments.adapters.contract import Adapter, AdapterContext, BodyReader, refuse, wrong
from payments.notices import NoticeInvalid

REQUIRED = ("reference_number", "loan_account_number", "cif", "amount", "payment_date")
OPTIONAL = ("currency", "payment_channel")
FIELDS = REQUIRED + OPTIONAL
PATH_MAX_LENGTH = 200
MINOR_UNITS = "minor_units"

Path = tuple[str | int, ...]
_step = re.compile(r"(?:^(?!\.)|(?!^)\.)([^.\[\]\s]+)|\[([0-9]{1,4})\]", re.ASCII)


class _Unsuitable(Exception):
    """The value is not one that the transform can turn; the text says what it should be."""


def _text(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _Unsuitable("Send text or a whole number.")
    return value


def _trim_left_zeros(value: Any) -> Any:
    return _text(value).strip().lstrip("0")


def _upper(value: Any) -> Any:
    return _text(value).upper()


def _unix_seconds(value: Any) -> Any:
    return _from_epoch(value, 1)


def _unix_milliseconds(value: Any) -> Any:
    return _from_epoch(value, 1000)


def _from_epoch(value: Any, per_second: int) -> str:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Unsuitable("Send a whole number, counted from 1970-01-01 UTC.")
    try:
        seconds, rest = divmod(value, per_second)
        moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1_000_000 // per_second)
    except (OverflowError, OSError, ValueError):
        raise _Unsuitable("There is no such moment.") from None
    return moment.isoformat()


# minor_units is not among them, because it needs the currency: it is done last.
TRANSFORMS: Mapping[str, Callable[[Any], Any]] = {
    "text": _text,
    "trim_left_zeros": _trim_left_zeros,
    "upper": _upper,
    "unix_seconds": _unix_seconds,
    "unix_milliseconds": _unix_milliseconds,
}


@dataclass(frozen=True, slots=True)
class _Rule:
    field: str
    path: Path
    shown_path: str
    transforms: tuple[Callable[[Any], Any], ...]
    in_minor_units: bool


def mapping_errors(mapping: Any) -> list[FieldError]:
    """Everything that is wrong with a mapping, one entry each; empty when it can be used."""
    return _compile(mapping)[1]


def _compile(mapping: Any) -> tuple[list[_Rule], list[FieldError]]:
    if not isinstance(mapping, Mapping):
        return [], [wrong("mapping", "not_an_object", 'Give an object such as {"reference_number": "data.ref"}.')]
    errors = [
        wrong("mapping", "field_missing", f"{name} needs a path: without it nothing can be recorded.")
        for name in REQUIRED
        if name not in mapping
    ]
    rules = []
    for name, entry in mapping.items():
        if name not in FIELDS:
            errors.append(
                wrong("mapping", "field_unknown", f"{str(name)[:60]!r} is no field of a payment: {', '.join(FIELDS)}.")
            )
            continue
        rule = _rule(name, entry, errors)
        if rule is not None:
            rules.append(rule)
    return rules, errors


def _rule(name: str, entry: Any, errors: list[FieldError]) -> _Rule | None:
    if isinstance(entry, str):
        entry = {"path": entry}
    if not isinstance(entry, Mapping) or not {"path"} <= set(entry) <= {"path", "transforms"}:
        message = f'{name} should be a path, or {{"path": …, "transforms": […]}}.'
        errors.append(wrong("mapping", "entry_malformed", message))
        return None
    path = parse_path(entry["path"])
    if path is None:
        message = f"{name}: {str(entry['path'])[:60]!r} is no path; write names and [numbers], as in data.items[0].ref."
        errors.append(wrong("mapping", "path_malformed", message))
        return None
    names = entry.get("transforms", [])
    known = [*TRANSFORMS, *([MINOR_UNITS] if name == "amount" else [])]
    if not isinstance(names, list) or any(item not in known for item in names):
        errors.append(wrong("mapping", "transform_unknown", f"{name}: transforms is a list of {', '.join(known)}."))
        return None
    turns = tuple(TRANSFORMS[item] for item in names if item != MINOR_UNITS)
    return _Rule(name, path, entry["path"], turns, MINOR_UNITS in names)


def parse_path(text: Any) -> Path | None:
    """`data.items[0].ref` as ("data", "items", 0, "ref"); None when it is no path. An empty path is none either."""
    if not isinstance(text, str) or not 0 < len(text) <= PATH_MAX_LENGTH:
        return None
    steps: list[str | int] = []
    end = 0
    for match in _step.finditer(text):
        if match.start() != end:
            return None
        end = match.end()
        steps.append(match[1] if match[1] is not None else int(match[2]))
    return tuple(steps) if steps and end == len(text) else None


def value_at(body: Any, path: Path) -> Any:
    """What stands at the path; None where the body has no such place."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(body, list) or step >= len(body):
                return None
            body = body[step]
        elif isinstance(body, Mapping):
            body = body.get(step)
        else:
            return None
    return body


def _reader_for(mapping: Mapping[str, Any]) -> BodyReader:
    """A reader for this mapping. One that was saved around the form's check refuses each body, with the reasons."""
    rules, mistakes = _compile(mapping)
    taken = [rule.path for rule in rules]

    def read(body: Any, context: AdapterContext) -> Mapping[str, Any]:
        refuse(mistakes)
        if not isinstance(body, Mapping | list):
            raise NoticeInvalid("The body must be one JSON object or list.")
        errors: list[FieldError] = []
        notice = {rule.field: _turned(rule, value_at(body, rule.path), errors) for rule in rules}
        refuse(errors)
        if any(rule.in_minor_units for rule in rules):
            notice["amount"] = _from_minor_units(notice, context)
        metadata = _without(body, taken)
        if metadata:
            notice["metadata"] = metadata if isinstance(metadata, Mapping) else {"body": metadata}
        return {name: value for name, value in notice.items() if value is not None}

    return read


def _turned(rule: _Rule, value: Any, errors: list[FieldError]) -> Any:
    if value is None:
        return None
    try:
        for turn in rule.transforms:
            value = turn(value)
    except _Unsuitable as unsuitable:
        errors.append(wrong(rule.field, f"{rule.field}_unsuitable", f"At {rule.shown_path}: {unsuitable}"))
        return None
    return value


def _from_minor_units(notice: Mapping[str, Any], context: AdapterContext) -> Any:
    amount = notice.get("amount")
    if isinstance(amount, str) and re.fullmatch(r"-?[0-9]{1,20}", amount, re.ASCII):
        amount = int(amount)
    if isinstance(amount, bool) or not isinstance(amount, int):
        refuse([wrong("amount", "amount_unsuitable", "Send a whole number of the currency's smallest unit.")])
        return None
    currency = notice.get("currency") or context.default_currency
    return Decimal(amount).scaleb(-CURRENCY_EXPONENTS.get(currency, 2) if isinstance(currency, str) else -2)


def _without(body: Any, taken: list[Path]) -> Any:
    """The body without the members that became fields of the payment; items of lists keep their places."""
    if isinstance(body, Mapping):
        kept = {}
        for name, member in body.items():
            below = [path[1:] for path in taken if path[0] == name]
            if any(not path for path in below):
                continue
            rest = _without(member, below) if below else member
            if not below or rest not in ({}, []):
                kept[name] = rest
        return kept
    if isinstance(body, list):
        items = [
            _without(item, [path[1:] for path in taken if path[0] == place and len(path) > 1])
            for place, item in enumerate(body)
        ]
        return [] if all(item in ({}, []) for item in items) else items
    return body


ADAPTER = Adapter("configured", "Configured by staff (paths)", _reader_for)
