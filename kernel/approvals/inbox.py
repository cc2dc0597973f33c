"""What the pages of approvals show of a request: whose turn it is, who asked, what changed since, what is offered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kernel import exactjson
from kernel.adminsite import Comparison, ConsoleChangeList, Row, badge, pretty_json
from kernel.approvals.content import ABSENT, Difference, canonical
from kernel.approvals.models import ApprovalRequest
from kernel.approvals.operations import changes_since
from kernel.approvals.querysets import MINE_TO_DECIDE
from kernel.approvals.readings import find_reading
from kernel.approvals.registry import UnknownKind, approvable_with, find_kind
from kernel.approvals.states import LIVE, ApprovalStatus, PrincipalKind
from kernel.display import NOTHING
from kernel.errors import PaymentsiteError
from kernel.reading import limited_reading

STATUS_SHOWN = {
    ApprovalStatus.PENDING: ("Waits for a second person", "attention"),
    ApprovalStatus.APPROVED: ("Approved, being carried out", "waiting"),
    ApprovalStatus.REFUSED: ("Refused", "bad"),
    ApprovalStatus.WITHDRAWN: ("Withdrawn", "plain"),
    ApprovalStatus.EXPIRED: ("Expired", "plain"),
    ApprovalStatus.EXECUTED: ("Carried out", "good"),
}
# So many changes are named in one sentence; the page lists all.
CHANGES_SAID = 2
# How long a page waits for what is there now, when it shows what has changed.
LOOK_MS = 3000
WHOSE = (("mine", "Waits for me"), ("asked", "I asked"), ("open", "Under way"), ("settled", "Settled"))


class WhoseFilter(admin.SimpleListFilter):
    """Whose turn it is, by what the list's query has annotated."""

    title = "whose turn"
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, str], ...]:
        return WHOSE

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        live = sorted(LIVE)
        if self.value() == "mine":
            return queryset.filter(turn=MINE_TO_DECIDE)
        if self.value() == "asked":
            return queryset.filter(requested_by_id=request.user.pk)
        if self.value() == "open":
            return queryset.filter(status__in=live)
        return queryset.exclude(status__in=live) if self.value() == "settled" else queryset


class InboxChangeList(ConsoleChangeList):
    """The list with its tabs: everything, and each choice of `WhoseFilter`."""

    @property
    def tabs(self) -> list[tuple[str, str, bool]]:
        chosen = self.params.get("whose", "")
        return [
            (words, self.get_query_string({"whose": whose} if whose else {}, ["whose", "p"]), whose == chosen)
            for whose, words in (("", "All"), *WHOSE)
        ]


def principal(kind: str, name: str) -> SafeString | str:
    """Who asked or decided; an API client is marked as one."""
    if not name:
        return NOTHING
    if kind == PrincipalKind.API_CLIENT:
        return format_html("{} {}", name, badge("API client", "plain"))
    return name


def waiting(asked: ApprovalRequest, *, at: datetime) -> str:
    """How long a live request has waited and how long it still can; how long a settled one took."""
    if asked.status not in LIVE:
        return f"took {_about(asked.status_since - asked.requested_at)}"
    age = _about(at - asked.requested_at)
    if asked.expires_at <= at:
        return f"{age} ago, its time is over"
    return f"{age} ago, {_about(asked.expires_at - at)} left"


def differences_now(asked: ApprovalRequest) -> tuple[list[Any], str]:
    """What differs between what was asked for and what is there now, and why that cannot be said, if it cannot.

    Looked at once for one page: the answer stays with the record that was read for it.
    """
    if asked.status not in LIVE:
        return [], ""
    kept: tuple[list[Any], str] | None = getattr(asked, "_differences_now", None)
    if kept is None:
        try:
            with limited_reading(milliseconds=LOOK_MS):
                kept = changes_since(asked), ""
        except PaymentsiteError as error:
            kept = [], error.detail
        asked._differences_now = kept  # type: ignore[attr-defined]
    return kept


def comparison_of(asked: ApprovalRequest) -> Comparison:
    """Every field of the content as it was asked for, and as it is now while the request can still be decided."""
    content = _in_words(asked.kind, exactjson.loads(asked.content))
    if asked.status not in LIVE:
        rows = [Row(_label(name), (_value(content, name),)) for name in content]
        return Comparison("Exactly what was asked for", ("Field", "Asked for"), rows, _hash_note(asked))
    found, hindrance = differences_now(asked)
    changed = {difference.field: difference for difference in found}
    headers = ("Field", "Asked for", "Now")
    if hindrance:
        rows = [Row(_label(name), (_value(content, name), "not known"), is_wrong=True) for name in content]
        note = format_html("What is there now cannot be compared: {} {}", hindrance, _hash_note(asked))
        return Comparison("What changed since it was asked: not known", headers, rows, note)
    if not found:
        rows = [Row(_label(name), (_value(content, name),)) for name in content]
        there = ("Field", "Asked for, and there now")
        return Comparison("What changed since it was asked: nothing", there, rows, _hash_note(asked))
    names = [*content, *(name for name in changed if name not in content)]
    rows = [
        Row(
            _label(name),
            (_value(content, name), _said_now(asked.kind, changed[name]) if name in changed else "the same"),
            is_wrong=name in changed,
        )
        for name in names
    ]
    said = "It cannot be approved any more: refuse it, and let whoever still wants it ask again."
    title = f"What changed since it was asked: {len(changed)} of {len(names)} fields"
    return Comparison(title, headers, rows, format_html("{} {}", said, _hash_note(asked)))


def effect_of_approving(asked: ApprovalRequest) -> str:
    found, hindrance = differences_now(asked)
    if hindrance:
        return f"{asked.summary} What is there now cannot be compared: {hindrance}"
    if found:
        changes = "; ".join(str(difference) for difference in found[:CHANGES_SAID])
        more = f"; and {len(found) - CHANGES_SAID} more" if len(found) > CHANGES_SAID else ""
        return f"Not possible any more, because it has changed since it was asked: {changes}{more}."
    try:
        is_now = find_kind(asked.kind).carries_out_at_once
    except UnknownKind:
        is_now = False
    how = "It is carried out at once." if is_now else "A worker carries it out at once, if nothing changes until then."
    return f"{asked.summary} Nothing has changed since it was asked. {how}"


def offered(request: HttpRequest, asked: ApprovalRequest) -> set[str]:
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


def turn_of(request: HttpRequest, asked: ApprovalRequest, *, at: datetime) -> str:
    """Whose turn it is, for the person who looks, and why it is not theirs."""
    if asked.status == ApprovalStatus.APPROVED:
        return (
            "It is approved and a worker carries it out. If its job run has failed, the run's page says why: have it "
            "carried out again, or let whoever asked withdraw it."
        )
    if asked.status != ApprovalStatus.PENDING:
        return ""
    if asked.expires_at <= at:
        return "Its time is over: it cannot be approved any more. Ask again if it is still wanted."
    if asked.requested_by_id == request.user.pk:
        return "You asked for this yourself, so you cannot approve it: another person must. You can withdraw it."
    if asked.kind in approvable_with(request.user.has_perm):
        if differences_now(asked)[0]:
            return "What this is about has changed since it was asked, so it cannot be approved any more: refuse it."
        return "This waits for you. Compare the figures with the reason and the ticket, then approve or refuse."
    return "This waits for somebody with the right to approve it. You can read it, but not decide."


def outcome_of(asked: ApprovalRequest) -> SafeString | str:
    """What came of carrying it out, field by field as the kind's app reads it; as JSON when none does."""
    if asked.result is None:
        return NOTHING
    if find_reading(asked.kind) is None:
        return pretty_json(asked.result)
    said = _in_words(asked.kind, asked.result)
    return format_html_join(SafeString("<br>"), "{}: {}", ((_label(name), _value(said, name)) for name in said))


def run_link(asked: ApprovalRequest) -> SafeString | str:
    if asked.run_id is None:
        return "The approval itself" if asked.status == ApprovalStatus.EXECUTED else NOTHING
    try:
        address = reverse("admin:jobs_jobrun_change", args=[asked.run_id])
    except NoReverseMatch:
        return str(asked.run_id)
    return format_html('<a class="ps-link" href="{}">Job run {}</a>', address, str(asked.run_id)[:8])


def _about(elapsed: timedelta) -> str:
    """Minutes, hours or days: nobody decides by the second."""
    minutes = max(0, int(elapsed.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min" if minutes else "under 1 min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _in_words(kind: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content as the kind's app reads it, field by field."""
    reading = find_reading(kind)
    return content if reading is None else {name: reading.words(name, value) for name, value in content.items()}


def _said_now(kind: str, difference: Difference) -> SafeString:
    now = {} if difference.now == ABSENT else {difference.field: exactjson.loads(difference.now)}
    return format_html("{} (changed)", _value(_in_words(kind, now), difference.field))


def _value(content: Mapping[str, Any], name: str) -> str:
    if name not in content:
        return ABSENT
    value = content[name]
    return (value if isinstance(value, str) else canonical({"": value})[5:-1]) or NOTHING


def _hash_note(asked: ApprovalRequest) -> SafeString:
    return format_html('sha256 of the content: <code class="ps-hash">{}</code>', asked.content_hash)
