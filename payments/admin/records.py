"""What the lists and record pages of this app have in common: a fixed order, and a record's story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse

from kernel.adminsite import ReadOnlyAdmin, pretty_json, timeline
from kernel.audit.models import AuditEntry
from payments.admin.display import moment

# Where an audit entry's first word is a model's name.
THINGS = {"stagingrejection": "Rejection", "referenceconflict": "Conflict"}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a record's story."""

    at: datetime
    title: str
    who: str = ""
    reason: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    @property
    def shown_at(self) -> str:
        return moment(self.at)

    @property
    def shown_before(self) -> str:
        return pretty_json(self.before)

    @property
    def shown_after(self) -> str:
        return pretty_json(self.after)

    @classmethod
    def of_entry(cls, entry: AuditEntry) -> Step:
        thing, _, deed = entry.action.partition(".")
        title = f"{THINGS.get(thing, thing.capitalize())} {deed.replace('-', ' ')}"
        return cls(entry.recorded_at, title, entry.actor, entry.reason, entry.before, entry.after)


class RecordAdmin(ReadOnlyAdmin):
    """Evidence whose record page ends with the record's story."""

    # Columns cannot be sorted by a click: these lists keep to the orders that an index gives.
    sortable_by = ()
    change_form_outer_before_template = "payments/admin/before_record.html"
    change_form_outer_after_template = "payments/admin/after_record.html"
    story_empty = "Decisions of staff about this record will appear here, with who and why."

    def page_context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        """What the templates around the facts need; subclasses add to it."""
        return {"title": str(record), "story": self.story(record), "story_empty": self.story_empty}

    def story(self, record: Any) -> list[Step]:
        """What happened to the record, the latest first."""
        return [Step.of_entry(entry) for entry in timeline(record)]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        record = self.get_object(request, unquote(object_id))
        context = {} if record is None else self.page_context(request, record)
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
