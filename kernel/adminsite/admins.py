"""The base classes of our admin pages."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ShowFacets
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.text import capfirst
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.views import ChangeList

from kernel.adminsite.pagination import EstimatedCountPaginator
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry


class ConsoleChangeList(ChangeList):
    """A list whose count stands at its foot alone, where it says whether it is exact."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # Otherwise the heading repeats the count, the capped one too, as if it were all there is.
        self.full_result_count = self.result_count


class ConsoleAdmin(UnfoldModelAdmin):
    """Unfold's admin with our defaults and explained lists; offers a confirmed action only to those who may use it."""

    paginator = EstimatedCountPaginator
    show_full_result_count = False
    # Counts beside the filters would be exact counts of the whole table, one a choice.
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = True
    warn_unsaved_form = True
    list_before_template = "admin/paymentsite/list_intro.html"
    # What the list is and what to do with it, and what will appear in it when it is empty.
    list_title = ""
    intro = ""
    empty_text = ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConsoleChangeList]:
        return ConsoleChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = self.list_title or capfirst(str(self.opts.verbose_name_plural))
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def _filter_unfold_actions_by_permissions(
        self, request: HttpRequest, actions: list[Any], object_id: int | str | None = None
    ) -> list[Any]:
        # Unfold looks for a permission that is named on an action during system checks, when a new database has no
        # table to look in. So ours is kept under a name of its own and looked at here.
        allowed = super()._filter_unfold_actions_by_permissions(request, actions, object_id)
        return [action for action in allowed if _may_use(request, action.method)]

    def _filter_actions_by_permissions(self, request: HttpRequest, actions: list[Any]) -> list[Any]:
        allowed = super()._filter_actions_by_permissions(request, actions)
        if request.method == "POST":
            # The action itself answers 403; left out here, it would be taken for a slip: "no action selected".
            return allowed
        return [action for action in allowed if _may_use(request, action[0])]


class ReadOnlyAdmin(ConsoleAdmin):
    """For evidence: looked at by those with the view permission, changed by nobody but through its actions."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class AuditedAdmin(ConsoleAdmin):
    """For settings that staff edit by form: the audit keeps who changed which fields.

    Nothing is removed by ticking rows: that way of deleting has no transaction which the audit could commit with.
    """

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._audit(request, obj, "added", message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._audit(request, obj, "changed", message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for record in queryset:
            self._audit(request, record, "deleted", None)
        return super().log_deletions(request, queryset)

    def _audit(self, request: HttpRequest, record: Model, verb: str, message: Any) -> None:
        record_entry(
            actor=Actor.staff(request.user),
            action=f"{self.opts.model_name}.{verb}",
            subject=record,
            # The names of the fields, not their values: one of them may be a password.
            after=None if message is None else {"message": message},
            at=timezone.now(),
        )


def _may_use(request: HttpRequest, method: Any) -> bool:
    permission = getattr(method, "required_permission", None)
    return permission is None or request.user.has_perm(permission)
