"""The page that stands between the wish to act and the act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.widgets import CHECKBOX_CLASSES, INPUT_CLASSES, SELECT_CLASSES, TEXTAREA_CLASSES, UnfoldAdminTextareaWidget

from kernel.errors import PaymentsiteError

TEMPLATE = "admin/paymentsite/confirm_action.html"
RECORDS_SHOWN = 20
REASON_LIMIT = 1000


class Declared(Protocol):
    """What the page needs to know of an action."""

    @property
    def description(self) -> str: ...
    @property
    def asks_reason(self) -> bool: ...
    @property
    def form(self) -> type[forms.Form] | None: ...
    @property
    def initial(self) -> Any: ...

    def effect_on(self, record: Any) -> str: ...


class ReasonForm(forms.Form):
    """Why; kept in the audit beside who and when."""

    reason = forms.CharField(
        label="Reason",
        max_length=REASON_LIMIT,
        help_text="Kept in the audit. Say what you found and, if there is one, the ticket.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "required": True}),
        error_messages={"required": "Say why: the reason is kept in the audit."},
    )


class ConfirmationPage:
    """Shows the effect and the form, reads the answers back, and shows a refusal with what was filled in."""

    def __init__(
        self,
        declared: Declared,
        model_admin: admin.ModelAdmin,
        request: HttpRequest,
        record: Model | None = None,
        *,
        records: Sequence[Model] = (),
    ) -> None:
        self.declared = declared
        self.model_admin = model_admin
        self.request = request
        self.record = record
        self.records = records
        self._forms = self._build_forms()

    @property
    def reason(self) -> str:
        return self.answers_of(ReasonForm).get("reason", "").strip()

    @property
    def answers(self) -> Mapping[str, Any]:
        return {} if self.declared.form is None else self.answers_of(self.declared.form)

    def answers_of(self, form_class: type[forms.Form]) -> Mapping[str, Any]:
        return next((form.cleaned_data for form in self._forms if isinstance(form, form_class)), {})

    def is_answered(self) -> bool:
        """True when this page was sent back, with nothing wrong in it, over the same number of records."""
        if not self._came_from_this_page:
            return False
        valid = [form.is_valid() for form in self._forms]
        return all(valid) and self._selection_is_the_same()

    def response(self, *, refusal: PaymentsiteError | None = None) -> HttpResponse:
        context = {
            **self.model_admin.admin_site.each_context(self.request),
            "title": self.declared.description,
            # Not as `opts`: without that, unfold's breadcrumb ends with the title.
            "model_admin": self.model_admin,
            "model_opts": self.model_admin.opts,
            "record": self.record,
            "effects": self._effects(),
            "records_shown": self.records[:RECORDS_SHOWN],
            "records_more": max(len(self.records) - RECORDS_SHOWN, 0),
            "record_count": len(self.records),
            "forms": self._forms,
            "is_multipart": any(form.is_multipart() for form in self._forms),
            "refusal": refusal,
            "hidden": self._hidden_fields(),
            "back": back_address(self.model_admin, self.request, self.record),
            "media": sum((form.media for form in self._forms), self.model_admin.media),
        }
        status = 200 if refusal is None else refusal.status
        return TemplateResponse(self.request, TEMPLATE, context, status=status).render()

    def refused(self, refusal: PaymentsiteError) -> HttpResponse:
        """The page again, with the reason of the refusal; or back, when not even its effect can be stated."""
        try:
            return self.response(refusal=refusal)
        except PaymentsiteError:
            messages.error(self.request, f"{refusal.detail} Nothing was changed.")
            return HttpResponseRedirect(back_address(self.model_admin, self.request, self.record))

    @property
    def _came_from_this_page(self) -> bool:
        return self.request.method == "POST" and self.request.POST.get("confirmed") == "yes"

    def _build_forms(self) -> list[forms.Form]:
        bound = self.request.POST if self._came_from_this_page else None
        files = self.request.FILES if self._came_from_this_page else None
        built: list[forms.Form] = []
        if self.declared.form is not None:
            initial = self.declared.initial(self.record) if self.declared.initial else None
            built.append(dressed(self.declared.form(bound, files, initial=initial)))
        if self.declared.asks_reason:
            built.append(ReasonForm(bound))
        return built

    def _effects(self) -> list[str]:
        if not self.records:
            return [self.declared.effect_on(self.record)]
        # One sentence for all where it is the same for all.
        return list(dict.fromkeys(self.declared.effect_on(record) for record in self.records[:RECORDS_SHOWN]))

    def _selection_is_the_same(self) -> bool:
        if not self.records or self.request.POST.get("record_count") == str(len(self.records)):
            return True
        messages.error(self.request, "The selection has changed since this page was shown. Look at it again.")
        return False

    def _hidden_fields(self) -> list[tuple[str, str]]:
        hidden = [("confirmed", "yes"), ("back", back_address(self.model_admin, self.request, self.record))]
        if self.records:
            across = self.request.POST.get("select_across", "0")
            hidden += [
                ("action", self.request.POST.get("action", "")),
                ("select_across", across),
                ("record_count", str(len(self.records))),
            ]
            if across != "1":
                hidden += [(ACTION_CHECKBOX_NAME, str(record.pk)) for record in self.records]
        return hidden


def back_address(model_admin: admin.ModelAdmin, request: HttpRequest, record: Model | None) -> str:
    """Where the person came from, when that is a page of this site, else the record's page or the list."""
    named = request.POST.get("back") or _referring_page(request)
    if named and url_has_allowed_host_and_scheme(named, allowed_hosts=None):
        return named
    opts = model_admin.opts
    place = f"{model_admin.admin_site.name}:{opts.app_label}_{opts.model_name}"
    if record is None:
        return reverse(f"{place}_changelist")
    return reverse(f"{place}_change", args=[record.pk])


def _referring_page(request: HttpRequest) -> str:
    referrer = urlsplit(request.headers.get("Referer", ""))
    if referrer.netloc != request.get_host() or referrer.path == request.path:
        return ""
    return referrer.path + (f"?{referrer.query}" if referrer.query else "")


def dressed(form: forms.Form) -> forms.Form:
    """Gives plain widgets the look of the console."""
    for bound_field in form:
        widget = bound_field.field.widget
        if isinstance(widget, forms.CheckboxInput | forms.CheckboxSelectMultiple):
            classes = CHECKBOX_CLASSES
        elif isinstance(widget, forms.Textarea):
            classes = TEXTAREA_CLASSES
        elif isinstance(widget, forms.Select):
            classes = SELECT_CLASSES
        else:
            classes = INPUT_CLASSES
        widget.attrs.setdefault("class", " ".join(classes))
    return form
