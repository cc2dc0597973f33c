"""Which changes between two descriptions of the API break a client that was written against the first one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# Of what is sent to us a smaller limit refuses what was accepted; (keyword, whether a larger number is narrower).
LIMITS = {
    "minLength": True,
    "minimum": True,
    "minItems": True,
    "minProperties": True,
    "maxLength": False,
    "maximum": False,
    "maxItems": False,
    "maxProperties": False,
}
# The components on the way down to here: what contains itself is compared once.
Seen = frozenset[str]
NO_LIMIT = {"minLength": 0, "minItems": 0, "minProperties": 0}
ROOT = re.compile(r"body|answer \w+")


@dataclass(frozen=True, slots=True, order=True)
class Break:
    """One break: the operation and what a client of the first description would stumble over."""

    method: str
    path: str
    what: str

    def __str__(self) -> str:
        """The line that docs/api_changes.md has to have for it."""
        return f"- `{self.method.upper()} {self.path}`: {self.what}"


def breaks(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Break]:
    """Every break from `before` to `after`, both OpenAPI 3.0 documents; what is only added is none."""
    found = []
    for path, item in before["paths"].items():
        for method in METHODS:
            if method in item:
                now = after["paths"].get(path, {}).get(method)
                changes = ["removed"] if now is None else _Comparison(before, after).operation(item[method], now)
                found += [Break(method, path, change) for change in changes]
    return sorted(set(found))


class _Comparison:
    """Both documents, whose references are followed."""

    def __init__(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        self.before = before
        self.after = after

    def operation(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
        yield from self.parameters(old.get("parameters", []), new.get("parameters", []))
        yield from self.body(old.get("requestBody"), new.get("requestBody"))
        for status, answer in old["responses"].items():
            if status not in new["responses"]:
                yield f"answer {status} removed"
            else:
                yield from self.answer(f"answer {status}", answer, new["responses"][status])
        added = [needed for needed in new.get("security", []) if needed not in old.get("security", [])]
        if {} not in new.get("security", [{}]) and added and len(added) == len(new["security"]):
            yield f"needs other credentials: {', '.join(sorted(name for needed in added for name in needed))}"

    def parameters(self, old: list[Any], new: list[Any]) -> Iterator[str]:
        known = {(parameter["in"], parameter["name"]): parameter for parameter in old}
        now = {(parameter["in"], parameter["name"]): parameter for parameter in new}
        for (place, name), parameter in known.items():
            where = f"{place} parameter {name}"
            if (place, name) not in now:
                yield f"{where} removed"
            else:
                changed = now[place, name]
                if changed.get("required") and not parameter.get("required"):
                    yield f"{where} became required"
                yield from self.sent(where, parameter.get("schema", {}), changed.get("schema", {}))
        for (place, name), parameter in now.items():
            if (place, name) not in known and parameter.get("required"):
                yield f"{place} parameter {name} is new and required"

    def body(self, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[str]:
        if new is None:
            if old is not None:
                yield "body removed"
            return
        if new.get("required") and not (old or {}).get("required"):
            yield "body became required"
        for media, content in (old or {}).get("content", {}).items():
            if media not in new["content"]:
                yield f"body as {media} removed"
            else:
                yield from self.sent("body", content.get("schema", {}), new["content"][media].get("schema", {}))

    def answer(self, where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
        for name in old.get("headers", {}):
            if name not in new.get("headers", {}):
                yield f"{where}: header {name} removed"
        for media, content in old.get("content", {}).items():
            if media not in new.get("content", {}):
                yield f"{where} as {media} removed"
            else:
                yield from self.given(where, content.get("schema", {}), new["content"][media].get("schema", {}))

    def sent(self, where: str, old: Any, new: Any, seen: Seen = frozenset()) -> Iterator[str]:
        """What clients send us: nothing more may be demanded, nothing that was accepted refused."""
        seen, is_known = _with(seen, old)
        if is_known:
            return
        old, new = _flat(self.before, old), _flat(self.after, new)
        yield from _shape(where, old, new)
        yield from _narrowed(where, old, new)
        if old.get("nullable") and not new.get("nullable"):
            yield f"{where} may not be null any more"
        demanded = set(new.get("required", [])) - set(old.get("required", []))
        for name in sorted(demanded):
            was_optional = name in old.get("properties", {})
            yield f"{_member(where, name)} {'became required' if was_optional else 'is new and required'}"
        yield from self._members(where, old, new, seen, is_sent=True)

    def given(self, where: str, old: Any, new: Any, seen: Seen = frozenset()) -> Iterator[str]:
        """What clients are given: nothing that they read may be missing, or be of another kind."""
        seen, is_known = _with(seen, old)
        if is_known:
            return
        old, new = _flat(self.before, old), _flat(self.after, new)
        yield from _shape(where, old, new)
        if new.get("nullable") and not old.get("nullable"):
            yield f"{where} may be null now"
        for name in sorted(set(old.get("required", [])) - set(new.get("required", []))):
            if name in new.get("properties", {}):
                yield f"{_member(where, name)} may be missing now"
        yield from self._members(where, old, new, seen, is_sent=False)

    def _members(self, where: str, old: Any, new: Any, seen: Seen, *, is_sent: bool) -> Iterator[str]:
        compare = self.sent if is_sent else self.given
        for name, member in old.get("properties", {}).items():
            if name not in new.get("properties", {}):
                yield f"{_member(where, name)} removed"
            else:
                yield from compare(_member(where, name), member, new["properties"][name], seen)
        if "items" in old and "items" in new:
            yield from compare(f"{where}[]", old["items"], new["items"], seen)
        for number, (choice, now) in enumerate(zip(old.get("oneOf", []), new.get("oneOf", []), strict=False), start=1):
            yield from compare(f"{where} choice {number}", choice, now, seen)


def _shape(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    was, is_now = (" ".join(filter(None, (found.get("type"), found.get("format")))) for found in (old, new))
    if was != is_now:
        yield f"{where} changed from {was or 'any type'} to {is_now or 'any type'}"
    gone = [value for value in old.get("enum", []) if value not in new.get("enum", old["enum"])]
    for value in gone:
        yield f"{where} lost the value {value}"
    if len(new.get("oneOf", [])) < len(old.get("oneOf", [])):
        yield f"{where} lost a choice"


def _narrowed(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for keyword, larger_is_narrower in LIMITS.items():
        was, is_now = old.get(keyword, NO_LIMIT.get(keyword)), new.get(keyword)
        if is_now is None or is_now == was:
            continue
        if was is None or (is_now > was) == larger_is_narrower:
            yield f"{where} narrowed: {keyword} {'none' if was is None else was} to {is_now}"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{where} narrowed: pattern {old.get('pattern', 'none')} to {new['pattern']}"
    if "enum" in new and "enum" not in old:
        yield f"{where} narrowed: only the values {', '.join(str(value) for value in new['enum'])}"
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield f"{where} narrowed: no other members"


def _member(where: str, name: str) -> str:
    return f"{where} {name}" if ROOT.fullmatch(where) else f"{where}.{name}"


def _with(seen: Seen, schema: Any) -> tuple[Seen, bool]:
    """The components on the way down with this one added, and whether it was among them already."""
    parts = [schema, *schema.get("allOf", [])] if isinstance(schema, Mapping) else []
    names = {part["$ref"] for part in parts if "$ref" in part}
    return seen | names, bool(seen & names)


def _flat(document: Mapping[str, Any], schema: Any) -> dict[str, Any]:
    """The schema with its reference followed, the parts of allOf put together and enums of oneOf united."""
    found: dict[str, Any] = dict(schema) if isinstance(schema, Mapping) else {}
    if "$ref" in found:
        target: Any = document
        for step in found.pop("$ref").removeprefix("#/").split("/"):
            target = target[step]
        found = _flat(document, target) | found
    for part in found.pop("allOf", []):
        flat = _flat(document, part)
        properties = flat.get("properties", {}) | found.get("properties", {})
        required = [*flat.get("required", []), *found.get("required", [])]
        found = flat | found
        if properties:
            found |= {"properties": properties, "required": required}
    choices = [_flat(document, choice) for choice in found.get("oneOf", [])]
    if choices and all("enum" in choice for choice in choices):
        del found["oneOf"]
        values = [value for choice in choices for value in choice["enum"]]
        found |= {"enum": [value for value in values if value is not None]}
        found |= {"type": choices[0].get("type", "string")} | ({"nullable": True} if None in values else {})
    return found
