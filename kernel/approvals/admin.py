"""The console's inbox of approvals: what waits for the person who looks comes first, with all that they decide by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html, linebreaks
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel import exactjson
from kernel.adminsite import (
    Confirmation,
    ConsoleChangeList,
    Facts,
    Panel,
    RecordAdmin,
    Related,
    badge,
    confirmed_action,
    moment,
    name_thing,
)
from kernel.approvals import operations
from kernel.approvals.inbox import (
    STATUS_SHOWN,
    InboxChangeList,
    WhoseFilter,
    comparison_of,
    effect_of_approving,
    offered,
    outcome_of,
    principal,
    run_link,
    turn_of,
    waiting,
)
from kernel.approvals.models import ApprovalRequest
from kernel.approvals.querysets import MINE_TO_DECIDE
from kernel.approvals.readings import find_reading
from kernel.approvals.registry import approvable_with, title_of
from kernel.approvals.states import ApprovalStatus

MAY_VIEW = "approvals.view_approvalrequest"

name_thing("approval", "Approval")


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(RecordAdmin):
    list_display = ("asked_for", "summary_shown", "shown_status", "asker", "age")
    list_filter = (WhoseFilter, "status", "kind")
    search_fields = ("=ticket", "=requested_by", "=content_hash")
    search_help_text = "Whole ticket, name of who asked, or hash"
    list_title = "Approvals"
    list_before_template = "admin/paymentsite/approvals_intro.html"
    intro = (
        "Acts that need two: one asks, another decides. What waits for you stands at the top. Open it, compare "
        "the figures with the ticket, then approve or refuse. Nobody decides about what they asked for themselves."
    )
    empty_text = "Nothing was asked for yet. A line appears here when somebody asks for an act that needs two people."
    story_empty = "Asking and deciding appear here, with who and why."
    actions_detail = ("approve", "refuse", "carry_out", "withdraw")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApprovalRequest]:
        kinds = approvable_with(request.user.has_perm)
        asked = ApprovalRequest.objects.with_turn(user_id=request.user.pk or 0, kinds=kinds)
        return asked.order_by(*self.get_ordering(request))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("turn", "-requested_at")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConsoleChangeList]:
        return InboxChangeList

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        asked = self.get_object(request, str(object_id))
        names = set() if asked is None else offered(request, asked)
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.method.original_function_name in names]

    def page_context(self, request: HttpRequest, record: ApprovalRequest) -> dict[str, Any]:
        turn = turn_of(request, record, at=timezone.now())
        context = super().page_context(request, record)
        return {**context, "guidance": {"sentence": turn}} if turn else context

    def related(self, record: ApprovalRequest) -> Sequence[Related]:
        reading = find_reading(record.kind)
        return () if reading is None else reading.related(exactjson.loads(record.content))

    def panels(self, request: HttpRequest, record: ApprovalRequest) -> Sequence[Panel]:
        comparison = comparison_of(record)
        table = render_to_string("admin/paymentsite/comparison_table.html", {"comparison": comparison})
        return (Panel(comparison.title, table, order=10, anchor="changes"),)

    def facts(self, record: ApprovalRequest) -> Sequence[Facts]:
        asked = (
            ("Asked by", self.asker(record)),
            ("Asked", moment(record.requested_at)),
            ("Reason", record.reason),
            ("Ticket", record.ticket),
            ("Decide until", moment(record.expires_at)),
            ("How long ago", self.age(record)),
        )
        groups = [
            Facts(str(record), (("Status", self.shown_status(record)), ("In words", self._words(record)))),
            Facts("Who asked and why", asked),
        ]
        if record.decided_at is not None:
            groups.append(Facts("Decision", self._decision(record)))
        return groups

    def _decision(self, asked: ApprovalRequest) -> tuple[tuple[str, Any], ...]:
        decided = (
            ("Decided by", principal(asked.decided_by_kind, asked.decided_by)),
            ("Decided", moment(asked.decided_at)),
            ("Reason", asked.decision_reason),
        )
        if asked.status == ApprovalStatus.REFUSED:
            return decided
        return (*decided, ("Carried out by", run_link(asked)), ("Outcome", outcome_of(asked)))

    def _words(self, asked: ApprovalRequest) -> SafeString:
        return SafeString(linebreaks(asked.summary, autoescape=True))

    @display(description="what")
    def asked_for(self, asked: ApprovalRequest) -> SafeString:
        number = f"request {asked.pk}"
        return format_html(
            '<span class="ps-named">{} <span class="ps-note">{}</span></span>', title_of(asked.kind), number
        )

    @display(description="status")
    def shown_status(self, asked: Any) -> SafeString:
        if asked.turn == MINE_TO_DECIDE:
            return badge("Waits for you", "attention")
        return badge(*STATUS_SHOWN[ApprovalStatus(asked.status)])

    @display(description="figures")
    def summary_shown(self, asked: ApprovalRequest) -> SafeString:
        return format_html('<div class="ps-stacked ps-wrap">{}</div>', asked.summary.partition("\n")[0])

    @display(description="asked by")
    def asker(self, asked: ApprovalRequest) -> SafeString | str:
        return principal(asked.requested_by_kind, asked.requested_by)

    @display(description="asked")
    def age(self, asked: ApprovalRequest) -> str:
        return waiting(asked, at=timezone.now())

    @confirmed_action(
        description="Approve",
        permission=MAY_VIEW,
        effect=effect_of_approving,
        icon="check",
        attrs={"data-key": "a"},
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request: HttpRequest, asked: ApprovalRequest, confirmation: Confirmation) -> str:
        approved = operations.approve(
            asked.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        what = "carried out" if approved.status == ApprovalStatus.EXECUTED else "being carried out"
        return f"Request {asked.pk} is approved and {what}."

    @confirmed_action(
        description="Refuse",
        permission=MAY_VIEW,
        effect="The request ends here and nothing is done. Whoever asked reads your reason.",
        icon="close",
        attrs={"data-key": "d"},
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
