"""The base classes of our admin pages."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin as UnfoldModelAdmin

from kernel.adminsite.pagination import EstimatedCountPaginator
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry


class ConsoleAdmin(UnfoldModelAdmin):
    """Unfold's admin with our defaults; offers a confirmed action only to those who may use it."""

    paginator = EstimatedCountPaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = True
    warn_unsaved_form = True

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
