"""The audit as people read it: who did what, to which record, when and why."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from kernel.adminsite import ReadOnlyAdmin, moment_column, pretty_json
from kernel.audit.models import AuditEntry, AuditSeal


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["recorded", "actor", "actor_kind", "action", "subject", "short_reason"]
    list_filter = ["actor_kind"]
    # Each is a column that an index begins with; a search inside texts would read the whole table.
    search_fields = ["=actor", "=action", "=object_id", "=object_type"]
    search_help_text = "The whole name of an actor, action, record type or record id."
    ordering = ["-id"]
    # A click on a heading would sort the whole table.
    sortable_by = ()
    intro = (
        "Who did what to which record, when and why, the latest first. Nobody can change or delete a line. Open one to "
        "compare the record before and after."
    )
    empty_text = (
        "Nothing has been done yet. A line appears here with the first decision, change or command of a person."
    )
    fieldsets = [
        (None, {"fields": ["recorded", "actor", "actor_kind", "user_id", "action", "reason"]}),
        ("Record", {"fields": ["object_type", "object_id", "object_label", "shown_before", "shown_after"]}),
        ("Where it came from", {"fields": ["request_id", "change_set", "shown_source"]}),
    ]
    readonly_fields = ["recorded", "shown_before", "shown_after", "shown_source"]
    recorded = moment_column("recorded_at", "recorded")

    @display(description="record")
    def subject(self, entry: AuditEntry) -> str:
        return f"{entry.object_type} {entry.object_label or entry.object_id}"

    @display(description="reason")
    def short_reason(self, entry: AuditEntry) -> str:
        return entry.reason if len(entry.reason) <= 80 else f"{entry.reason[:79]}…"

    @display(description="before")
    def shown_before(self, entry: AuditEntry) -> SafeString | str:
        return pretty_json(entry.before)

    @display(description="after")
    def shown_after(self, entry: AuditEntry) -> SafeString | str:
        return pretty_json(entry.after)

    @display(description="source")
    def shown_source(self, entry: AuditEntry) -> SafeString | str:
        return pretty_json(entry.source)


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    list_display = ["sequence", "sealed", "source", "entry_count", "short_hash"]
    list_filter = ["source"]
    ordering = ["-sequence"]
    fields = [
        "sequence",
        "sealed",
        "source",
        "entry_count",
        "positions",
        "high_water",
        "whole_hash",
        "whole_previous",
    ]
    readonly_fields = ["sealed", "whole_hash", "whole_previous"]
    sealed = moment_column("sealed_at", "sealed")
    intro = (
        "Each seal fixes a batch of audit entries, and the seal before it: a line that is altered later no longer "
        "fits. The command verify_audit checks the whole chain."
    )
    empty_text = "Nothing is sealed yet. A seal appears here seconds after the first audit entry."

    @display(description="hash")
    def short_hash(self, seal: AuditSeal) -> str:
        return f"{bytes(seal.hash).hex()[:16]}…"

    @display(description="hash")
    def whole_hash(self, seal: AuditSeal) -> str:
        return bytes(seal.hash).hex()

    @display(description="hash of the seal before")
    def whole_previous(self, seal: AuditSeal) -> str:
        return bytes(seal.previous_hash).hex()
