"""The story of a record: what the audit, and whoever else keeps something about it, tell of it, the latest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString

from kernel.adminsite.links import record_link
from kernel.adminsite.timelines import timeline_of
from kernel.audit.models import AuditEntry
from kernel.audit.querysets import identify
from kernel.display import moment, pretty_json

STEPS_SHOWN = 200
# A subject of the story as the audit names it: object type and object id.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a record's story. `about` names the record that it is about when that is another one."""

    at: datetime
    title: str
    who: str = ""
    reason: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    about: str = ""
    request_id: str = ""
    link: SafeString | str = ""
    audit_id: int | None = None
    # What was written, such as a note.
    text: str = ""

    @property
    def shown_at(self) -> str:
        return moment(self.at)

    @property
    def shown_before(self) -> str:
        return pretty_json(self.before)

    @property
    def shown_after(self) -> str:
        return pretty_json(self.after)

    @property
    def audit_link(self) -> SafeString | str:
        return "" if self.audit_id is None else record_link(AuditEntry, self.audit_id, f"Audit entry {self.audit_id}")

    @classmethod
    def of_entry(cls, entry: AuditEntry, *, about: str = "") -> Step:
        thing, _, deed = entry.action.partition(".")
        title = f"{_things.get(thing, thing.replace('_', ' ').capitalize())} {deed.replace('-', ' ')}"
        return cls(
            entry.recorded_at,
            title,
            entry.actor,
            entry.reason,
            entry.before,
            entry.after,
            about=about,
            request_id=entry.request_id,
            audit_id=entry.pk,
        )


# Called with the request and the subjects of a page's story; leaves out what the person may not see.
StepSource = Callable[[HttpRequest, Sequence[Key]], Iterable[Step]]
_sources: dict[str, StepSource] = {}
_things: dict[str, str] = {}


def name_thing(first_word: str, words: str) -> None:
    """How an audit entry's first word is read in a story: `stagingrejection` as Rejection."""
    _things[first_word] = words


def register_steps(name: str, source: StepSource) -> None:
    """Adds a source of steps to the story of every record; the same name again takes the place of the earlier one."""
    _sources[name] = source


def registered_steps(request: HttpRequest, subjects: Sequence[Any]) -> list[Step]:
    """What the registered sources tell of the subjects (records, or object type and id)."""
    keys = [identify(subject) for subject in subjects]
    return [step for source in _sources.values() for step in source(request, keys)]


def audited_steps(record: Any, subjects: Sequence[Any]) -> list[Step]:
    """What the audit tells of the subjects; entries about another one than the record say about which."""
    own = identify(record)
    return [
        Step.of_entry(entry, about="" if (entry.object_type, entry.object_id) == own else entry.object_label)
        for entry in timeline_of(subjects)
    ]


def in_order(steps: Iterable[Step]) -> list[Step]:
    """The latest first; of one moment, in the order in which they were given."""
    return sorted(steps, key=lambda step: step.at, reverse=True)[:STEPS_SHOWN]
