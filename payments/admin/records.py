"""What the lists and record pages of this app have in common: an introduction, a story, and text for an empty list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from unfold.views import ChangeList

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


class RecordChangeList(ChangeList):
    """A list whose count stands at its foot alone, where it says whether it is exact."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # Otherwise the heading repeats the count, the capped one too, as if it were all there is.
        self.full_result_count = self.result_count


class RecordAdmin(ReadOnlyAdmin):
    """Evidence with an explained list and a record page that ends with the record's story."""

    # Columns cannot be sorted by a click: these lists keep to the orders that an index gives.
    sortable_by = ()
    # Counts beside the filters would be exact counts of the whole table, one a choice.
    show_facets = ShowFacets.NEVER
    list_before_template = "payments/admin/list_intro.html"
    change_form_outer_before_template = "payments/admin/before_record.html"
    change_form_outer_after_template = "payments/admin/after_record.html"
    # What the list is and what to do with it, and what will appear in it when it is empty.
    list_title = ""
    intro = ""
    empty_text = ""
    story_empty = "Decisions of staff about this record will appear here, with who and why."

    def page_context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        """What the templates around the facts need; subclasses add to it."""
        return {"title": str(record), "story": self.story(record), "story_empty": self.story_empty}

    def story(self, record: Any) -> list[Step]:
        """What happened to the record, the latest first."""
        return [Step.of_entry(entry) for entry in timeline(record)]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RecordChangeList]:
        return RecordChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = self.list_title or str(self.opts.verbose_name_plural).capitalize()
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        record = self.get_object(request, unquote(object_id))
        context = {} if record is None else self.page_context(request, record)
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
