"""What every format has: a name, a title for staff, and a reader of parsed bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kernel.errors import FieldError
from payments.notices import NoticeInvalid


@dataclass(frozen=True, slots=True)
class AdapterContext:
    """What a reader may know beside the body: when it came, on which channel, and the currency if it names none."""

    at: datetime
    channel_slug: str
    default_currency: str


# From a parsed body to a body in the generic format, which payments.notices.read_notice then checks field by field.
BodyReader = Callable[[Any, AdapterContext], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Adapter:
    """One format. `reader_for` takes the channel's mapping, once for each load of the channel and not per request."""

    name: str
    title: str
    reader_for: Callable[[Mapping[str, Any]], BodyReader]


def wrong(field: str, code: str, message: str) -> FieldError:
    return FieldError(field, code, message)


def refuse(errors: list[FieldError]) -> None:
    """Raises NoticeInvalid when there is anything in the list."""
    if errors:
        fields = ", ".join(dict.fromkeys(error.field for error in errors))
        raise NoticeInvalid(
            f"The body cannot be read in the format of this channel: see {fields}.", errors=tuple(errors)
        )


def object_at(body: Any, name: str, errors: list[FieldError], *, path: str = "") -> Mapping[str, Any]:
    """The object under this name; when there is none, notes so and gives an empty one."""
    member = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(member, Mapping):
        errors.append(wrong(f"{path}{name}", "not_an_object", f"Send {path}{name} as a JSON object."))
        return {}
    return member
