"""The page of invariants: what must always be true, whether it was at the last look, and what breaks it."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel.adminsite import Confirmation, ReadOnlyAdmin, badge, confirmed_action, moment_column
from kernel.display import length
from kernel.invariants.models import InvariantOutcome
from kernel.jobs.operations import request_job


@admin.register(InvariantOutcome)
class InvariantAdmin(ReadOnlyAdmin):
    list_display = ["name", "state", "claim", "seen", "wrong", "checked"]
    ordering = ["-broken", "name"]
    list_title = "Invariants"
    intro = (
        "What must always be true of payments, references, events and the audit. All of it is looked at once a day, "
        "the quick ones every ten minutes. Nothing here repairs anything: when one is broken, open it, note the ids, "
        "and tell whoever runs the database before anything is changed by hand."
    )
    empty_text = "Nothing was looked at yet. Press Verify now, or wait ten minutes for the schedule."
    actions_list = ["verify_now"]
    fieldsets = [
        (None, {"fields": ["claim", "state", "meaning"]}),
        ("Last look", {"fields": ["checked", "seen", "wrong", "undecided", "took"]}),
        ("What breaks it", {"fields": ["broken_records"]}),
    ]
    readonly_fields = [
        "claim",
        "state",
        "meaning",
        "checked",
        "seen",
        "wrong",
        "undecided",
        "took",
        "broken_records",
    ]
    checked = moment_column("checked_at", "last look")

    @display(description="state", ordering="broken")
    def state(self, outcome: InvariantOutcome) -> SafeString:
        if outcome.broken:
            return badge("Broken", "bad")
        return badge("Holds in part", "attention") if outcome.unresolved else badge("Holds", "good")

    @display(description="rule")
    def claim(self, outcome: InvariantOutcome) -> SafeString:
        # Several lines of text, for which the list's cells have to grow on a phone.
        return format_html('<div class="ps-stacked">{}</div>', outcome.sentence)

    @display(description="what to do")
    def meaning(self, outcome: InvariantOutcome) -> str:
        if outcome.broken:
            return (
                "Something changed the database past the rules that guard it, or the platform has a defect. "
                "Keep the ids below; do not repair by hand before the cause is known."
            )
        if outcome.unresolved:
            return "Some records cannot be judged from what is in the database; the others are all right."
        return "Nothing is to be done."

    @display(description="looked at", ordering="looked_at")
    def seen(self, outcome: InvariantOutcome) -> str:
        return f"{outcome.looked_at:,}"

    @display(description="broken", ordering="broken")
    def wrong(self, outcome: InvariantOutcome) -> str:
        return f"{outcome.broken:,}"

    @display(description="cannot be judged")
    def undecided(self, outcome: InvariantOutcome) -> str:
        return f"{outcome.unresolved:,}"

    @display(description="took")
    def took(self, outcome: InvariantOutcome) -> str:
        return length(timedelta(seconds=outcome.seconds))

    @display(description="records")
    def broken_records(self, outcome: InvariantOutcome) -> SafeString | str:
        if not outcome.breaches:
            return "None."
        lines = ((breach["id"], breach["sentence"]) for breach in outcome.breaches)
        more = outcome.broken - len(outcome.breaches)
        return format_html(
            "<ul>{}</ul>{}",
            format_html_join("", '<li class="break-words mb-2"><code>{}</code><br>{}</li>', lines),
            f"and {more:,} more" if more > 0 else "",
        )

    @confirmed_action(
        description="Verify now",
        permission="jobs.request_job",
        effect="Starts a run that looks at every invariant. It only reads; on a large database it takes minutes, and "
        "payments are recorded meanwhile as usual.",
        asks_reason=False,
        icon="fact_check",
        variant=ActionVariant.PRIMARY,
    )
    def verify_now(self, request: HttpRequest, record: None, confirmation: Confirmation) -> HttpResponse:
        run = request_job("verify", actor=confirmation.actor, at=confirmation.at)
        self.message_user(request, "The run is asked for. This is how far it is; reload to see it move on.")
        return HttpResponseRedirect(reverse("admin:jobs_jobrun_change", args=[run.pk]))
