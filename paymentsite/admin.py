"""Pages of packages that we use, in the console's look and with the console's rules."""

from __future__ import annotations

from typing import Any

from axes.admin import AccessAttemptAdmin, AccessFailureLogAdmin, AccessLogAdmin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django_celery_beat.admin import ClockedScheduleAdmin, CrontabScheduleAdmin, PeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as BeatTaskForm
from django_celery_beat.admin import TaskSelectWidget as BeatTaskSelectWidget
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from kernel.adminsite import AuditedAdmin, Confirmation, ReadOnlyAdmin, badge, confirmed_action, moment_column
from kernel.transactions import unit_of_work
from paymentsite.schedule import switch_entry

# Below, the package's class stands before ours: it brings its own forms and fields, ours the look and the audit.
for foreign in (
    User,
    Group,
    PeriodicTask,
    IntervalSchedule,
    CrontabSchedule,
    ClockedSchedule,
    SolarSchedule,
    AccessAttempt,
    AccessLog,
    AccessFailureLog,
):
    admin.site.unregister(foreign)


@admin.register(User)
class StaffAdmin(UserAdmin, AuditedAdmin):  # type: ignore[misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "is_active", "is_staff", "login"]
    # When somebody joined or logged in last is a fact and nothing to type over.
    fieldsets = (*(UserAdmin.fieldsets or ())[:-1], ("Important dates", {"fields": ("login", "joined")}))
    readonly_fields = ("login", "joined")
    login = moment_column("last_login", "last login")
    joined = moment_column("date_joined", "joined")
    intro = (
        "People who may log in. What somebody may see and do comes from their groups; one without a group sees "
        "nothing. Who leaves is made inactive, not deleted: the audit names them."
    )

    @unit_of_work
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        # Django saves the password and notes it in two transactions; the audit goes with the act.
        return super().user_change_password(request, id, form_url)


@admin.register(Group)
class RoleAdmin(GroupAdmin, AuditedAdmin):  # type: ignore[misc]
    intro = (
        "The roles and what each may do. The five that come with the platform are made the same again by every upgrade."
    )


class TaskSelectWidget(UnfoldAdminSelectWidget, BeatTaskSelectWidget):
    pass


class PeriodicTaskForm(BeatTaskForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelectWidget()


@admin.register(PeriodicTask)
class ScheduleEntryAdmin(PeriodicTaskAdmin, AuditedAdmin):
    form = PeriodicTaskForm
    date_hierarchy = None
    list_display = ["name", "state", "scheduler", "last_run"]
    readonly_fields = ("last_run", "crontab_translation")
    list_title = "Schedule"
    intro = (
        "What the platform does by itself, and how often. Switch an entry off and on with a reason; its page says what "
        "it is for and what stands still without it."
    )
    empty_text = "Nothing is scheduled. Entries appear here when the platform starts."
    last_run = moment_column("last_run_at", "last run")
    fieldsets = tuple(
        (
            heading,
            {**group, "fields": tuple("last_run" if field == "last_run_at" else field for field in group["fields"])},
        )
        for heading, group in PeriodicTaskAdmin.fieldsets
    )
    list_filter = ["enabled"]
    actions = ["switch_on", "switch_off"]
    actions_detail = ["switch_on", "switch_off"]

    @display(description="state", ordering="enabled")
    def state(self, entry: PeriodicTask) -> SafeString:
        return badge("Switched on", "good") if entry.enabled else badge("Switched off", "attention")

    @confirmed_action(
        description="Switch on",
        permission="django_celery_beat.change_periodictask",
        effect=lambda entry: f"“{entry.name}” runs by itself again.",
    )
    def switch_on(self, request: HttpRequest, entry: PeriodicTask, confirmation: Confirmation) -> str:
        switch_entry(entry.pk, enabled=True, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"“{entry.name}” is switched on."

    @confirmed_action(
        description="Switch off",
        permission="django_celery_beat.change_periodictask",
        effect=lambda entry: (
            f"“{entry.name}” no longer runs by itself until somebody switches it on. {entry.description}"
        ),
    )
    def switch_off(self, request: HttpRequest, entry: PeriodicTask, confirmation: Confirmation) -> str:
        switch_entry(entry.pk, enabled=False, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"“{entry.name}” is switched off."


@admin.register(IntervalSchedule)
class IntervalAdmin(AuditedAdmin):
    pass


@admin.register(CrontabSchedule)
class CrontabAdmin(CrontabScheduleAdmin, AuditedAdmin):
    pass


@admin.register(ClockedSchedule)
class ClockedAdmin(ClockedScheduleAdmin, AuditedAdmin):
    pass


@admin.register(AccessAttempt)
class LoginAttemptAdmin(ReadOnlyAdmin):
    list_display = ["tried", "username", "ip_address", "failures_since_start"]
    fields = ["tried", "username", "ip_address", "failures_since_start", "user_agent"]
    readonly_fields = ["tried"]
    tried = moment_column("attempt_time", "tried")
    empty_text = "No wrong password is being counted. Tries appear here until somebody logs in or the lock ends."
    list_filter = ["attempt_time"]
    search_fields = AccessAttemptAdmin.search_fields


@admin.register(AccessLog)
class LoginAdmin(ReadOnlyAdmin):
    list_display = ["tried", "logged_out", "username", "ip_address"]
    fields = ["tried", "logged_out", "username", "ip_address", "user_agent"]
    readonly_fields = ["tried", "logged_out"]
    tried = moment_column("attempt_time", "logged in")
    logged_out = moment_column("logout_time", "logged out")
    empty_text = "Nobody has logged in yet."
    list_filter = ["attempt_time"]
    search_fields = AccessLogAdmin.search_fields


@admin.register(AccessFailureLog)
class LoginFailureAdmin(ReadOnlyAdmin):
    list_display = ["tried", "username", "ip_address", "locked_out"]
    fields = ["tried", "username", "ip_address", "locked_out", "user_agent"]
    readonly_fields = ["tried"]
    tried = moment_column("attempt_time", "tried")
    empty_text = "No login has failed yet."
    list_filter = ["attempt_time", "locked_out"]
    search_fields = AccessFailureLogAdmin.search_fields
