"""The record page: facts, money, allowed actions with their effects, related records, and the record's whole story."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from kernel.adminsite.admins import ReadOnlyAdmin
from kernel.adminsite.facts import Allowed, Facts, MoneyBox, Panel, Related, registered_panels
from kernel.adminsite.story import Step, audited_steps, in_order, registered_steps
from kernel.audit.querysets import Subject
from kernel.display import pretty_json
from kernel.errors import PaymentsiteError


class RecordAdmin(ReadOnlyAdmin):
    """Evidence whose page says what it is, what can be done about it, and how it came to be so.

    A subclass says what there is by overriding `facts` (or `fieldsets`), `money_box`, `related`, `panels`, `steps`,
    `timeline_subjects` and `raw`; each of them may be left as it is.
    """

    # Columns cannot be sorted by a click: these lists keep to the orders that an index gives.
    sortable_by = ()
    change_form_template = "admin/paymentsite/record.html"
    change_form_outer_before_template = "admin/paymentsite/before_record.html"
    change_form_outer_after_template = "admin/paymentsite/after_record.html"
    story_empty = "Decisions of staff about this record will appear here, with who and why."

    def facts(self, record: Any) -> Sequence[Facts]:
        """Groups of facts in the place of `fieldsets`, which are shown when there are none."""
        return ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        # Facts take the place of the form's fields: without this, Django would still make every one of them.
        has_facts = type(self).facts is not RecordAdmin.facts
        return [(None, {"fields": ()})] if has_facts and not self.fieldsets else super().get_fieldsets(request, obj)

    def money_box(self, record: Any) -> MoneyBox | None:
        """The amounts of the record, at the top of the side."""
        return None

    def related(self, record: Any) -> Sequence[Related]:
        """Records that belong together with this one, as links at the side."""
        return ()

    def panels(self, request: HttpRequest, record: Any) -> Sequence[Panel]:
        """Boxes of the subclass's own, in the middle or at the side."""
        return ()

    def timeline_subjects(self, record: Any) -> Sequence[Subject]:
        """Whose entries, notes and files make the story: the record, and those that belong to it."""
        return (record,)

    def steps(self, record: Any) -> Sequence[Step]:
        """What the story tells beside the audit and the notes, such as events and what the record's columns say."""
        return ()

    def raw(self, record: Any) -> Any:
        """Raw data for developers, shown as JSON behind a fold; None for nothing."""
        return None

    def story(self, record: Any) -> list[Step]:
        """What happened to the record as the audit and `steps` tell it, the latest first."""
        return in_order([*audited_steps(record, self.timeline_subjects(record)), *self.steps(record)])

    def allowed(self, request: HttpRequest, record: Any) -> list[Allowed]:
        """What this person may do about the record now, each with the sentence that says its effect."""
        found = []
        for action in self.get_actions_detail(request, record.pk):
            declared = getattr(action.method, "confirmed_action", None)
            if declared is None:
                continue
            try:
                effect = declared.effect_on(record)
            except PaymentsiteError as refusal:
                effect = f"Not now: {refusal.detail}"
            address = reverse(f"{self.admin_site.name}:{action.action_name}", args=[record.pk])
            key = action.method.attrs.get("data-key", "")
            found.append(Allowed(str(action.description), address, effect, action.icon or "", key))
        return found

    def page_context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        """What the templates around the facts need; subclasses add to it."""
        boxes = sorted([*self.panels(request, record), *registered_panels(request, record)], key=lambda box: box.order)
        raw = self.raw(record)
        told = registered_steps(request, self.timeline_subjects(record))
        return {
            "title": str(record),
            "fact_groups": self.facts(record),
            "money_box": self.money_box(record),
            "allowed": self.allowed(request, record),
            "related": [group for group in self.related(record) if group.links or group.empty],
            "main_panels": [box for box in boxes if box.place == "main"],
            "side_panels": [box for box in boxes if box.place == "side"],
            "story": in_order([*told, *self.story(record)]),
            "story_empty": self.story_empty,
            "raw": None if raw is None else pretty_json(raw),
        }

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        record = self.get_object(request, unquote(object_id))
        may_look = record is not None and self.has_view_permission(request, record)
        context = self.page_context(request, record) if may_look else {}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
