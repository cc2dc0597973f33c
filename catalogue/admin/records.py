"""What all pages of the catalogue share: a form whose operation saves, its story below, no deleting."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.db import models
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from catalogue.admin.importing import ExchangePages
from catalogue.forms import RecordForm
from catalogue.models import Dated
from catalogue.operations import save_record
from catalogue.operations.records import NAMES, kept_fields
from kernel.adminsite import AuditedAdmin, Step, badge, name_thing, timeline
from kernel.audit.actors import Actor
from kernel.calendar import business_date
from kernel.errors import PaymentsiteError

REASON = "reason"
for kind, name in NAMES.items():
    name_thing(name, capfirst(str(kind._meta.verbose_name)))


class CatalogueAdmin(ExchangePages, AuditedAdmin):
    """One table of the catalogue."""

    form = RecordForm
    formfield_overrides = {models.TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})}}
    change_form_outer_after_template = "admin/paymentsite/after_record.html"
    # What names the record, and cannot change once it is there.
    naming: tuple[str, ...] = ()
    story_empty = "Changes of this record will appear here, with who and why. It came with the demo or by a command."

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        fixed = tuple(super().get_readonly_fields(request, obj))
        if obj is None:
            return fixed
        return tuple(dict.fromkeys((*fixed, *self.naming, *kept_fields(obj, on=business_date(timezone.now())))))

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        may_save = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        return [*fieldsets, ("Why", {"fields": [REASON]})] if may_save else fieldsets

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        save_record(obj, actor=Actor.staff(request.user), reason=form.cleaned_data[REASON], at=timezone.now())

    def _audit(self, request: HttpRequest, record: Model, verb: str, message: Any) -> None:
        # The operation has written what was before and what is after.
        return

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, self._context(object_id, extra_context))
        except PaymentsiteError as refusal:
            # Somebody was faster between the look and the save.
            messages.error(request, f"{refusal.detail} Nothing was changed.")
            return HttpResponseRedirect(request.get_full_path())

    def _context(self, object_id: str | None, extra: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = {"story_empty": self.story_empty, **(extra or {})}
        if object_id is not None:
            subject = (self.opts.label_lower, unquote(object_id))
            context["story"] = [Step.of_entry(entry) for entry in timeline(subject)]
        return context


@display(description="state")
def dated_state(model_admin: Any, record: Dated) -> SafeString:
    """In force, coming or past, today."""
    today = business_date(timezone.now())
    if record.is_in_force(today):
        return badge("In force", "good")
    return badge("Past", "plain") if record.has_begun(today) else badge("Coming", "waiting")


@display(description="in force", ordering="starts_on")
def days_in_force(model_admin: Any, record: Dated) -> SafeString:
    """From when, and until when where that is known."""
    until = f" to {record.ends_on}" if record.ends_on else ""
    return format_html('<span class="whitespace-nowrap">from {}</span>', f"{record.starts_on}{until}")
