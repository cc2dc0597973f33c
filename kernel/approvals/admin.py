"""The console's inbox of approvals: what waits for the person who looks comes first, with all that they decide by."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join, linebreaks
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel import exactjson
from kernel.adminsite import (
    Confirmation,
    ReadOnlyAdmin,
    badge,
    confirmed_action,
    moment,
    moment_column,
    pretty_json,
    timeline,
)
from kernel.approvals import operations
from kernel.approvals.models import ApprovalRequest
from kernel.approvals.querysets import MINE_TO_DECIDE
from kernel.approvals.registry import UnknownKind, approvable_with, find_kind, title_of
from kernel.approvals.states import ApprovalStatus
from kernel.display import NOTHING

STATUS_SHOWN = {
    ApprovalStatus.PENDING: ("Waits for a second person", "attention"),
    ApprovalStatus.APPROVED: ("Approved, being carried out", "waiting"),
    ApprovalStatus.REFUSED: ("Refused", "bad"),
    ApprovalStatus.WITHDRAWN: ("Withdrawn", "plain"),
    ApprovalStatus.EXPIRED: ("Expired", "plain"),
    ApprovalStatus.EXECUTED: ("Carried out", "good"),
}
MAY_VIEW = "approvals.view_approvalrequest"


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyAdmin):
    list_display = ("asked_for", "summary_shown", "shown_status", "requested_by", "requested", "expires")
    list_filter = ("status", "kind")
    search_fields = ("=ticket", "=requested_by", "=content_hash")
    search_help_text = "Whole ticket, name of who asked, or hash"
    # A click on a heading would take what waits for this person from the top.
    sortable_by = ()
    list_title = "Approvals"
    intro = (
        "Acts that need two people: one asks, another decides. What waits for you stands at the top. Open it, compare "
        "the figures with the ticket, then approve or refuse. Nobody decides about what they asked for themselves."
    )
    empty_text = "Nothing was asked for yet. A line appears here when somebody asks for an act that needs two people."
    change_form_before_template = "admin/paymentsite/approval_turn.html"
    actions_detail = ("approve", "refuse", "carry_out", "withdraw")
    fieldsets = (
        (None, {"fields": ("asked_for", "shown_status", "summary_text")}),
        ("Asked", {"fields": ("requested_by", "reason", "ticket", "requested", "expires")}),
        ("Decision", {"fields": ("decider", "decided", "decision_reason", "run", "outcome")}),
        ("Exactly what is approved", {"fields": ("content_shown", "content_hash")}),
        ("What happened", {"fields": ("story",)}),
    )
    readonly_fields = (
        "asked_for",
        "shown_status",
        "summary_text",
        "requested",
        "expires",
        "decider",
        "decided",
        "run",
        "outcome",
        "content_shown",
        "story",
    )
    requested = moment_column("requested_at", "asked")
    expires = moment_column("expires_at", "decide until")
    decided = moment_column("decided_at", "decided")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApprovalRequest]:
        kinds = approvable_with(request.user.has_perm)
        asked = ApprovalRequest.objects.with_turn(user_id=request.user.pk or 0, kinds=kinds)
        return asked.order_by(*self.get_ordering(request))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("turn", "-requested_at")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        asked = self.get_object(request, object_id)
        turn = "" if asked is None else _turn(request, asked)
        return super().change_view(request, object_id, form_url, {"approval_turn": turn, **(extra_context or {})})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        asked = self.get_object(request, str(object_id))
        offered = set() if asked is None else _offered(request, asked)
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.method.original_function_name in offered]

    @display(description="what")
    def asked_for(self, asked: ApprovalRequest) -> str:
        return f"{title_of(asked.kind)} (request {asked.pk})"

    @display(description="status")
    def shown_status(self, asked: Any) -> SafeString:
        if asked.turn == MINE_TO_DECIDE:
            return badge("Waits for you", "attention")
        return badge(*STATUS_SHOWN[ApprovalStatus(asked.status)])

    @display(description="figures")
    def summary_shown(self, asked: ApprovalRequest) -> SafeString:
        return format_html('<div class="ps-stacked">{}</div>', asked.summary.partition("\n")[0])

    @display(description="in words and figures")
    def summary_text(self, asked: ApprovalRequest) -> SafeString:
        return SafeString(linebreaks(asked.summary, autoescape=True))

    @display(description="decided by")
    def decider(self, asked: ApprovalRequest) -> str:
        return asked.decided_by or NOTHING

    @display(description="carried out by")
    def run(self, asked: ApprovalRequest) -> SafeString | str:
        if asked.run_id is None:
            return NOTHING
        try:
            address = reverse("admin:jobs_jobrun_change", args=[asked.run_id])
        except NoReverseMatch:
            return str(asked.run_id)
        return format_html('<a class="ps-link" href="{}">Job run {}</a>', address, str(asked.run_id)[:8])

    @display(description="outcome")
    def outcome(self, asked: ApprovalRequest) -> SafeString | str:
        return pretty_json(asked.result)

    @display(description="content")
    def content_shown(self, asked: ApprovalRequest) -> SafeString | str:
        content = exactjson.loads(asked.content)
        rows = [(name.replace("_", " "), exactjson.dumps(content[name]).strip('"') or NOTHING) for name in content]
        return format_html_join("", "<div>{}: <b>{}</b></div>", rows)

    @display(description="timeline")
    def story(self, asked: ApprovalRequest) -> SafeString | str:
        lines = [
            (moment(entry.recorded_at), entry.action.partition(".")[2].replace("-", " "), entry.actor, entry.reason)
            for entry in timeline(asked)
        ]
        return format_html_join("", "<div>{} · {} by {}: {}</div>", lines) or NOTHING

    @confirmed_action(
        description="Approve",
        permission=MAY_VIEW,
        effect=lambda asked: f"{asked.summary} A worker carries it out at once, if nothing has changed until then.",
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request: HttpRequest, asked: ApprovalRequest, confirmation: Confirmation) -> str:
        operations.approve(asked.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"Request {asked.pk} is approved and being carried out."

    @confirmed_action(
        description="Refuse",
        permission=MAY_VIEW,
        effect="The request ends here and nothing is done. Whoever asked reads your reason.",
        icon="close",
    )
    def refuse(self, request: HttpRequest, asked: ApprovalRequest, confirmation: Confirmation) -> str:
        operations.refuse(asked.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"Request {asked.pk} is refused."

    @confirmed_action(
        description="Withdraw",
        permission=MAY_VIEW,
        effect="You take your request back: it ends here and nothing is done.",
        icon="undo",
    )
    def withdraw(self, request: HttpRequest, asked: ApprovalRequest, confirmation: Confirmation) -> str:
        operations.withdraw(asked.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"Request {asked.pk} is withdrawn."

    @confirmed_action(
        description="Carry out again",
        permission=MAY_VIEW,
        effect="A worker tries once more to carry out what was approved. It is done once, however often it is tried.",
        asks_reason=False,
        icon="play_arrow",
    )
    def carry_out(self, request: HttpRequest, asked: ApprovalRequest, confirmation: Confirmation) -> str:
        operations.ask_to_execute(asked.pk, actor=confirmation.actor, at=confirmation.at)
        return f"Request {asked.pk} is being carried out."


def _offered(request: HttpRequest, asked: ApprovalRequest) -> set[str]:
    """Names of the actions that this person can take now; the operations refuse the others as well."""
    is_own = asked.requested_by_id == request.user.pk
    own = {"withdraw"} if is_own else set()
    try:
        kind = find_kind(asked.kind)
    except UnknownKind:
        return set()
    may_approve = request.user.has_perm(kind.may_approve)
    if asked.status == ApprovalStatus.PENDING:
        return own | ({"approve", "refuse"} if may_approve and not is_own else set())
    if asked.status == ApprovalStatus.APPROVED:
        return own | ({"carry_out"} if may_approve or request.user.has_perm(kind.may_request) else set())
    return set()


def _turn(request: HttpRequest, asked: ApprovalRequest) -> str:
    """Whose turn it is, for the person who looks, and why it is not theirs."""
    if asked.status == ApprovalStatus.APPROVED:
        return (
            "It is approved and a worker carries it out. If its job run has failed, the run's page says why: have it "
            "carried out again, or let whoever asked withdraw it."
        )
    if asked.status != ApprovalStatus.PENDING:
        return ""
    if asked.expires_at <= timezone.now():
        return "Its time is over: it cannot be approved any more. Ask again if it is still wanted."
    if asked.requested_by_id == request.user.pk:
        return "You asked for this yourself, so you cannot approve it: another person must. You can withdraw it."
    if asked.kind in approvable_with(request.user.has_perm):
        return "This waits for you. Compare the figures with the reason and the ticket, then approve or refuse."
    return "This waits for somebody with the right to approve it. You can read it, but not decide."
