"""The console's page of events: what waits, what was delivered when, and the action that sends one again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kernel.adminsite import Confirmation, ReadOnlyAdmin, badge, confirmed_action, moment, moment_column, timeline
from kernel.display import NOTHING
from kernel.outbox import operations
from kernel.outbox.display import indented, masked_key
from kernel.outbox.forms import PositionsForm
from kernel.outbox.models import OutboxEvent
from kernel.outbox.querysets import EventQuerySet, publications_of
from kernel.outbox.replaypages import OutboxReplayAdmin

__all__ = ["OutboxEventAdmin", "OutboxReplayAdmin"]

PUBLICATIONS_SHOWN = 20
ERROR_LETTERS_SHOWN = 80


def stacked(state: SafeString, at: datetime | None) -> SafeString:
    """The state, and below it since when; a delivery from before deliveries were noted has no moment."""
    return state if at is None else format_html('<div class="ps-stacked">{}<br>{}</div>', state, moment(at))


class StateFilter(admin.SimpleListFilter):
    """What became of the event."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waiting"), ("failed", "Waiting after a failure"), ("delivered", "Delivered")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        assert isinstance(queryset, EventQuerySet)  # noqa: S101 -- tells the type checker what the model's manager gives
        if self.value() == "waiting":
            return queryset.waiting()
        if self.value() == "failed":
            return queryset.failed()
        if self.value() == "delivered":
            return queryset.delivered()
        return queryset


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = ("position", "event_type", "subject", "masked", "state", "error")
    list_filter = (StateFilter,)
    search_fields = ("=event_id", "=position")
    search_help_text = "Event id or position"
    ordering = ("-position",)
    # A click on a heading would sort the whole table.
    sortable_by = ()
    list_title = "Outbox"
    intro = (
        "What other systems are told, the latest first. An event waits here until the broker confirms it. One that "
        "keeps failing shows its error and is tried again by itself; send one again only when a reader has lost it."
    )
    empty_text = "No event yet. Each recorded payment adds one, in the same instant as the payment itself."
    occurred = moment_column("occurred_at", "occurred")
    fields = (
        ("position", "event_id", "event_type"),
        ("source", "subject", "topic", "masked"),
        ("occurred", "state", "attempts"),
        "error",
        "publications",
        "replays",
        "content",
    )
    readonly_fields = ("occurred", "masked", "state", "attempts", "error", "publications", "replays", "content")
    actions_list = ("replay_several",)
    actions_detail = ("replay",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxEvent]:
        return OutboxEvent.objects.with_delivery()

    @admin.display(description="key")
    def masked(self, event: OutboxEvent) -> str:
        return masked_key(event.key)

    @admin.display(description="state")
    def state(self, event: Any) -> SafeString:
        if event.queued_at is None:
            return stacked(badge("Delivered", "good"), event.published_at)
        if event.attempts:
            return stacked(badge(f"Waiting, failed {event.attempts}×", "attention"), event.queued_at)
        return stacked(badge("Waiting", "waiting"), event.queued_at)

    @admin.display(description="failed attempts")
    def attempts(self, event: Any) -> int | str:
        return event.attempts or NOTHING

    @admin.display(description="last error")
    def error(self, event: Any) -> str:
        text = event.last_error or NOTHING
        return text if len(text) <= ERROR_LETTERS_SHOWN else f"{text[:ERROR_LETTERS_SHOWN]}…"

    @admin.display(description="deliveries")
    def publications(self, event: OutboxEvent) -> SafeString | str:
        batches = publications_of(event.position)[:PUBLICATIONS_SHOWN]
        lines = [(moment(batch.published_at), batch.topic, batch.id, batch.events) for batch in batches]
        return format_html_join("", "<div>{} to {} in batch {} of {} events</div>", lines) or NOTHING

    @admin.display(description="sent again")
    def replays(self, event: OutboxEvent) -> SafeString | str:
        lines = [(moment(entry.recorded_at), entry.actor, entry.reason) for entry in timeline(event)]
        return format_html_join("", "<div>{} by {}: {}</div>", lines) or NOTHING

    @admin.display(description="body")
    def content(self, event: OutboxEvent) -> SafeString:
        shape = '<pre class="whitespace-pre-wrap break-words font-mono text-xs">{}</pre>'
        return format_html(shape, indented(event.body))

    @confirmed_action(
        description="Send again",
        permission="outbox.replay_event",
        effect="The event is queued and published once more under its own id. Readers that know the id ignore it.",
        icon="replay",
    )
    def replay(self, request: HttpRequest, event: OutboxEvent, confirmation: Confirmation) -> str:
        operations.replay([event.position], actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"Event {event.position} is queued again."

    @confirmed_action(
        description="Send events again",
        permission="outbox.replay_event",
        effect="Each event is queued and published once more under its own id: all of them, or none.",
        form=PositionsForm,
        icon="replay",
    )
    def replay_several(self, request: HttpRequest, event: None, confirmation: Confirmation) -> str:
        count = operations.replay(
            confirmation.answers["positions"],
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return f"{count} events are queued again."
