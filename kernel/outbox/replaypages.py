"""The console's pages of replays: choose events, see what that is, send them again or ask for approval."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel.adminsite import Confirmation, ReadOnlyAdmin, badge, confirmed_action, moment, moment_column, progress_bar
from kernel.adminsite.confirmation import dressed
from kernel.audit.actors import Actor
from kernel.display import NOTHING
from kernel.errors import PaymentsiteError
from kernel.jobs.models import JobRun
from kernel.outbox import replays
from kernel.outbox.display import masked_key
from kernel.outbox.forms import EventFilterForm, ReplayReasonForm
from kernel.outbox.models import OutboxEvent, OutboxReplay
from kernel.outbox.operations import REPLAY_LIMIT
from kernel.outbox.selection import SELECTION_LIMIT, Preview, preview, select

TEMPLATE = "admin/paymentsite/replay.html"
MAY_REPLAY = "outbox.replay_event"


@admin.register(OutboxReplay)
class OutboxReplayAdmin(ReadOnlyAdmin):
    list_display = ("number", "shown_state", "progress", "requested_by", "pace", "created")
    ordering = ("-id",)
    sortable_by = ()
    list_title = "Replays"
    intro = (
        "Events that are sent again because a reader lost them. The button with the plus chooses them by time, account "
        f"and type. Up to {REPLAY_LIMIT} an hour go out at once; more are asked for, and appear here when a second "
        "person has approved them."
    )
    empty_text = "No replay was approved yet. Choose events with the button with the plus."
    actions_detail = ("resume",)
    fieldsets = (
        (None, {"fields": ("number", "shown_state", "progress", "pace", "run")}),
        ("Which events", {"fields": ("begins", "ends", "account", "event_type", "positions", "digest")}),
        ("Why", {"fields": ("requested_by", "reason", "approved", "created", "finished")}),
    )
    readonly_fields = (
        "number",
        "shown_state",
        "progress",
        "pace",
        "run",
        "begins",
        "ends",
        "account",
        "positions",
        "approved",
        "created",
        "finished",
    )
    begins = moment_column("from_at", "occurred from")
    ends = moment_column("to_at", "occurred before")
    created = moment_column("created_at", "approved and begun")
    finished = moment_column("finished_at", "finished")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_REPLAY)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The filter, what it gives, and the act: GET shows, POST acts."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        asked = EventFilterForm(request.GET) if request.GET else EventFilterForm()
        page = ReplayPage(self, request, asked)
        return page.answer()

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        replay = self.get_object(request, str(object_id))
        if replay is None or replay.finished_at is not None or _is_running(replay):
            return []
        return super().get_actions_detail(request, object_id)

    @display(description="replay")
    def number(self, replay: OutboxReplay) -> str:
        return str(replay)

    @display(description="state")
    def shown_state(self, replay: OutboxReplay) -> SafeString:
        if replay.finished_at is not None:
            return badge("Queued all", "good")
        return badge("Under way", "waiting") if _is_running(replay) else badge("Stopped: resume it", "attention")

    @display(description="progress")
    def progress(self, replay: OutboxReplay) -> SafeString | str:
        return progress_bar(replay.queued + replay.already_waiting, replay.count)

    @display(description="rate")
    def pace(self, replay: OutboxReplay) -> str:
        return f"{replay.rate:,}/s"

    @display(description="account")
    def account(self, replay: OutboxReplay) -> str:
        return masked_key(replay.key) if replay.key else "all accounts"

    @display(description="positions")
    def positions(self, replay: OutboxReplay) -> str:
        return f"{replay.first_position:,} to {replay.highest_position:,}; {replay.already_waiting:,} waited already"

    @display(description="approval")
    def approved(self, replay: OutboxReplay) -> SafeString:
        address = reverse("admin:approvals_approvalrequest_change", args=[replay.approval_id])
        return format_html('<a class="ps-link" href="{}">Request {}</a>', address, replay.approval_id)

    @display(description="job run")
    def run(self, replay: OutboxReplay) -> SafeString | str:
        if replay.run_id is None:
            return NOTHING
        address = reverse("admin:jobs_jobrun_change", args=[replay.run_id])
        return format_html('<a class="ps-link" href="{}">{}</a>', address, str(replay.run_id)[:8])

    @confirmed_action(
        description="Resume",
        permission=MAY_REPLAY,
        effect="A worker goes on after the last event that was queued. No event is queued twice.",
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def resume(self, request: HttpRequest, replay: Model, confirmation: Confirmation) -> str:
        gone_on = replays.resume(
            int(replay.pk), actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        return f"{gone_on} goes on."


class ReplayPage:
    """One answer of the page: an empty form, a choice that cannot be read, a choice with what it holds, or the act."""

    def __init__(self, model_admin: OutboxReplayAdmin, request: HttpRequest, asked: EventFilterForm) -> None:
        self.model_admin = model_admin
        self.request = request
        self.asked = asked
        self.actor = Actor.staff(request.user)
        self.reason: ReplayReasonForm | None = None

    def answer(self) -> HttpResponse:
        if not self.asked.is_bound or not self.asked.is_valid():
            return self._page()
        try:
            if self.request.method == "POST":
                self.reason = ReplayReasonForm(self.request.POST)
                if self.reason.is_valid():
                    return self._act(self.reason.cleaned_data)
            return self._page(found=preview(self.asked.chosen))
        except PaymentsiteError as refusal:
            return self._refused(refusal)

    def _act(self, answers: dict[str, Any]) -> HttpResponse:
        selection = select(self.asked.chosen, up_to=answers["highest_position"])
        if selection.digest != answers["digest"]:
            raise replays.SelectionChanged
        outcome = replays.replay_selection(
            selection,
            rate=self.asked.cleaned_data["rate"],
            actor=self.actor,
            reason=answers["reason"],
            ticket=answers["ticket"],
            at=timezone.now(),
        )
        if outcome.approval is not None:
            messages.success(self.request, "It is asked for. Nothing is sent before another person has approved it.")
            address = reverse("admin:approvals_approvalrequest_change", args=[outcome.approval.pk])
            return HttpResponseRedirect(address)
        waiting = f" {outcome.waiting} waited already and stay as they are." if outcome.waiting else ""
        messages.success(self.request, f"{outcome.queued} events are queued again.{waiting}")
        return HttpResponseRedirect(reverse("admin:outbox_outboxevent_changelist"))

    def _refused(self, refusal: PaymentsiteError) -> HttpResponse:
        try:
            return self._page(found=preview(self.asked.chosen), refusal=refusal)
        except PaymentsiteError:
            return self._page(refusal=refusal)

    def _page(self, *, found: Preview | None = None, refusal: PaymentsiteError | None = None) -> HttpResponse:
        selection = None if found is None else found.selection
        context = {
            **self.model_admin.admin_site.each_context(self.request),
            "title": "Send events again",
            "model_opts": self.model_admin.opts,
            "asked": dressed(self.asked),
            "found": found,
            "count": "" if found is None else f"{found.count:,}",
            "refusal": refusal,
            "retired_until": moment(found.retired_until) if found is not None and found.begins_among_retired else "",
            "back": reverse("admin:outbox_outboxreplay_changelist"),
            "limit": REPLAY_LIMIT,
            "most": f"{SELECTION_LIMIT:,}",
            "media": self.asked.media + self.model_admin.media,
        }
        if found is not None and selection is not None and selection.count:
            context |= self._what_follows(found)
        status = 200 if refusal is None else refusal.status
        return TemplateResponse(self.request, TEMPLATE, context, status=status)

    def _what_follows(self, found: Preview) -> dict[str, Any]:
        """What the act would be, and the form that asks for it, bound to exactly what is shown."""
        assert found.selection is not None  # noqa: S101 -- the caller looked
        selection = found.selection
        recently = replays.allowance(self.actor, at=timezone.now())
        frozen = {"highest_position": selection.highest_position, "digest": selection.digest}
        form = self.reason if self.reason is not None else ReplayReasonForm()
        if form.is_bound:
            form = ReplayReasonForm(self.request.POST.dict() | frozen)
        for name, value in frozen.items():
            form.fields[name].initial = value
        return {
            "reason_form": dressed(form),
            "needs_approval": recently.needs_approval(selection.count),
            "recently": recently.recently,
            "summary": replays.describe(selection.as_content() | {"rate": self.asked.cleaned_data["rate"]}),
            "samples": [("First", _events(found.first)), ("Last", _events(found.last))],
        }


def _events(positions: tuple[int, ...]) -> list[dict[str, Any]]:
    events = OutboxEvent.objects.filter(position__in=positions).order_by("position")
    return [
        {
            "position": event.position,
            "address": reverse("admin:outbox_outboxevent_change", args=[event.position]),
            "occurred": moment(event.occurred_at),
            "type": event.event_type,
            "account": masked_key(event.key),
        }
        for event in events
    ]


def _is_running(replay: OutboxReplay) -> bool:
    return replay.run_id is not None and JobRun.objects.live().filter(pk=replay.run_id).exists()
