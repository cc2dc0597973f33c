"""Notes and files on the record pages of every app: the panel, and their place in the record's story."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from kernel.adminsite import Panel, Step, list_address, name_thing, register_panel, register_steps
from kernel.audit.querysets import identify
from kernel.display import moment
from kernel.notes.models import Attachment, Note

SHOWN = 50
VIEW_NOTES, ADD_NOTES, STRIKE_NOTES = "notes.view_note", "notes.add_note", "notes.strike_note"
VIEW_FILES, ADD_FILES = "notes.view_attachment", "notes.add_attachment"


def register() -> None:
    register_panel("notes", notes_panel)
    register_steps("notes", steps_of_notes)
    name_thing("note", "Note")
    name_thing("attachment", "File")


def notes_panel(request: HttpRequest, record: models.Model) -> Panel | None:
    """Notes and files of the record, and the ways to add one; None for who may see neither."""
    may_read, may_open = request.user.has_perm(VIEW_NOTES), request.user.has_perm(VIEW_FILES)
    if not (may_read or may_open) or isinstance(record, Note | Attachment):
        return None
    key = identify(record)
    notes = list(Note.objects.about([key]).select_related("struck_by")[: SHOWN + 1]) if may_read else []
    files = list(Attachment.objects.about([key])[: SHOWN + 1]) if may_open else []
    place = [record._meta.app_label, record._meta.model_name, record.pk]
    context = {
        "notes": [(note, moment(note.created_at)) for note in notes[:SHOWN] if note.strikes_id is None],
        "files": [
            (file_link(kept), filesizeformat(kept.size), moment(kept.uploaded_at), kept) for kept in files[:SHOWN]
        ],
        "may_strike": request.user.has_perm(STRIKE_NOTES),
        "add_address": reverse("admin:notes_note_add_about", args=place) if request.user.has_perm(ADD_NOTES) else "",
        "attach_address": reverse("admin:notes_attachment_attach", args=place)
        if request.user.has_perm(ADD_FILES)
        else "",
        "all_notes": _all(Note, key) if len(notes) > SHOWN else "",
        "all_files": _all(Attachment, key) if len(files) > SHOWN else "",
    }
    content = render_to_string("admin/paymentsite/notes_panel.html", context, request)
    return Panel("Notes and files", content, order=50, anchor="notes")


def steps_of_notes(request: HttpRequest, subjects: Sequence[tuple[str, str]]) -> Iterable[Step]:
    """Every note and file of the subjects as a step of their story, for who may see them."""
    several = len(subjects) > 1
    steps = []
    if request.user.has_perm(VIEW_NOTES):
        for note in Note.objects.about(subjects)[:SHOWN]:
            title = f"Note {note.strikes_id} struck" if note.strikes_id else f"Note {note.pk} written"
            about = note.object_label if several else ""
            steps.append(Step(note.created_at, title, note.author, text=note.body, about=about))
    if request.user.has_perm(VIEW_FILES):
        for kept in Attachment.objects.about(subjects)[:SHOWN]:
            about = kept.object_label if several else ""
            steps.append(Step(kept.uploaded_at, "File attached", kept.uploaded_by, about=about, link=file_link(kept)))
    return steps


def file_link(kept: Attachment) -> SafeString:
    return format_html(
        '<a class="ps-link" href="{}">{}</a>', reverse("admin:notes_attachment_download", args=[kept.pk]), kept
    )


def may_view_record(request: HttpRequest, object_type: str) -> bool:
    """Whether the person may look at records of this type; never for a type that has no page."""
    for model, model_admin in admin.site._registry.items():
        if model._meta.label_lower == object_type:
            return bool(model_admin.has_view_permission(request))
    return False


def visible_types(request: HttpRequest) -> list[str]:
    """The types of records that the person may look at, as the audit names them."""
    return [
        model._meta.label_lower
        for model, model_admin in admin.site._registry.items()
        if model_admin.has_view_permission(request)
    ]


def record_of(kept: Note | Attachment) -> SafeString | str:
    """A link to the record that a note or file is about; its label where it has no page."""
    for model in admin.site._registry:
        if model._meta.label_lower == kept.object_type:
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[kept.object_id])
            named = kept.object_label or f"{model._meta.verbose_name} {kept.object_id}"
            return format_html('<a class="ps-link" href="{}">{}</a>', address, named)
    return kept.object_label or f"{kept.object_type} {kept.object_id}"


def _all(kind: type[Any], key: tuple[str, str]) -> str:
    return list_address(kind, {"object_type": key[0], "object_id": key[1]})
