"""Saved views: one's own to change and remove, those of others to use."""

from __future__ import annotations

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from kernel.adminsite import AuditedAdmin, badge, list_address
from kernel.savedviews.addresses import in_words, kept_query
from kernel.savedviews.models import SavedView
from kernel.savedviews.tabs import VIEW

SHARE = "savedviews.share_savedview"


class SavedViewForm(forms.ModelForm):
    """The request's person is set on the class that the admin makes for each request."""

    person: Any = None

    class Meta:
        model = SavedView
        fields = ("name", "description", "is_shared", "list_name", "query")
        widgets = {"list_name": forms.HiddenInput, "query": forms.HiddenInput}

    def clean_query(self) -> str:
        kept = kept_query(self.cleaned_data["query"])
        if not kept:
            raise forms.ValidationError("Nothing is chosen that could be saved: choose filters on the list first.")
        return kept

    def clean_list_name(self) -> str:
        name: str = self.cleaned_data["list_name"]
        try:
            model = apps.get_model(name)
        except (LookupError, ValueError):
            model = None
        if model is None or not admin.site.is_registered(model):
            raise forms.ValidationError("There is no such list.")
        return name

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        twins = SavedView.objects.filter(
            owner=self.person, list_name=answers.get("list_name", ""), name=answers.get("name", "")
        )
        if twins.exclude(pk=self.instance.pk).exists():
            self.add_error("name", "You have a view of this name on this list already.")
        return answers


@admin.register(SavedView)
class SavedViewAdmin(AuditedAdmin):
    """Everybody who may see lists keeps views of their own; sharing them takes a permission."""

    form = SavedViewForm
    list_display = ("name", "list_shown", "description", "shared", "owner", "open_it")
    list_filter = ("list_name", "is_shared")
    ordering = ("list_name", "name")
    intro = (
        "Filters of lists under a name, shown as tabs above their list. To save one, choose filters on a list and take "
        "Save this view; here you rename, share or delete what you saved."
    )
    empty_text = "Nobody has saved a view yet. Choose filters on a list, then take Save this view."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).seen_by(request.user.pk).select_related("owner")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(VIEW))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(VIEW)) and (obj is None or obj.owner_id == request.user.pk)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made: Any = super().get_form(request, obj, change, **kwargs)
        made.person = request.user
        asked = obj.query if obj is not None else request.POST.get("query") or request.GET.get("query", "")
        if "name" in made.base_fields and (kept := kept_query(asked)):
            made.base_fields["name"].help_text = f"What the tab says. It shows {in_words(kept)}."
        if "is_shared" in made.base_fields and not request.user.has_perm(SHARE):
            made.base_fields["is_shared"].disabled = True
            made.base_fields["is_shared"].help_text = "Sharing with everybody takes a right that you do not have."
        return made

    def save_model(self, request: HttpRequest, obj: SavedView, form: Any, change: bool) -> None:
        if not change:
            obj.owner_id = request.user.pk or 0
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        # A view begins on a list: another one cannot be added from here.
        only_save = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, {**context, **only_save}, *args, **kwargs)

    def response_add(self, request: HttpRequest, obj: SavedView, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, f"The view {obj.name} is saved: it is a tab above the list now.")
        return HttpResponseRedirect(address_of(obj))

    @display(description="List")
    def list_shown(self, view: SavedView) -> str:
        try:
            return str(apps.get_model(view.list_name)._meta.verbose_name_plural).capitalize()
        except LookupError:
            return view.list_name

    @display(description="Shared")
    def shared(self, view: SavedView) -> SafeString:
        return badge("With everybody", "good") if view.is_shared else badge("Only yours", "plain")

    @display(description="Open")
    def open_it(self, view: SavedView) -> SafeString:
        return format_html('<a class="ps-link" href="{}">Show it</a>', address_of(view))


def address_of(view: SavedView) -> str:
    """Of the list as the view shows it; of the views when the list is gone."""
    try:
        model = apps.get_model(view.list_name)
    except LookupError:
        return list_address(SavedView)
    return f"{list_address(model)}?{kept_query(view.query)}"
