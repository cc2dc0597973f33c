"""Lists of notes and files over all records, the pages that add one to a record, and downloads."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from unfold.decorators import display

from kernel.adminsite import Confirmation, ReadOnlyAdmin, confirmed_action, moment_column
from kernel.notes.forms import FileForm, NoteForm
from kernel.notes.models import Attachment, Note
from kernel.notes.operations import add_note, attach_file, strike_note
from kernel.notes.panel import (
    ADD_FILES,
    ADD_NOTES,
    STRIKE_NOTES,
    VIEW_FILES,
    VIEW_NOTES,
    file_link,
    may_view_record,
    record_of,
    visible_types,
)

# What a form adds to the bytes of its file.
ENVELOPE_BYTES = 64 * 1024


class AboutRecordsAdmin(ReadOnlyAdmin):
    """Rows about records of other apps: shown to those who may see these records too."""

    sortable_by = ()
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(object_type__in=visible_types(request))

    @display(description="about")
    def about(self, kept: Any) -> SafeString | str:
        return record_of(kept)


@admin.register(Note)
class NoteAdmin(AboutRecordsAdmin):
    list_display = ("created", "author", "about", "text")
    list_display_links = ("created",)
    search_fields = ("body",)
    search_help_text = 'Words in any form, or "words in a row"'
    actions_detail = ("strike",)
    intro = (
        "What people wrote about records, the latest first. A note is written on the record's own page, and is never "
        "edited: a mistaken one is struck by another that says why."
    )
    empty_text = "Nobody has written a note yet. Open a record, such as a payment, and choose Write a note."
    fieldsets = ((None, {"fields": ("about", "text", "author", "created")}),)
    readonly_fields = ("about", "text", "created")
    created = moment_column("created_at", "written")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("struck_by", "strikes")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Any], bool]:
        term = search_term.replace("\x00", "").strip()
        return (queryset.matching(term) if term else queryset), False

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self._add_about)
        address = path("about/<str:app_label>/<str:model_name>/<path:object_id>/", page, name="notes_note_add_about")
        return [address, *super().get_urls()]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        note = self.get_object(request, str(object_id))
        if note is None or note.strikes_id is not None or hasattr(note, "struck_by"):
            return []
        return super().get_actions_detail(request, object_id)

    @display(description="note")
    def text(self, note: Note) -> SafeString:
        if note.strikes_id is not None:
            return format_html('<div class="ps-wrap ps-said">Strikes note {}: {}</div>', note.strikes_id, note.body)
        if hasattr(note, "struck_by"):
            return format_html(
                '<div class="ps-wrap ps-said"><s>{}</s> <span class="ps-note">Struck by {}: {}</span></div>',
                note.body,
                note.struck_by.author,
                note.struck_by.body,
            )
        return format_html('<div class="ps-wrap ps-said">{}</div>', note.body)

    @confirmed_action(
        description="Strike this note",
        permission=STRIKE_NOTES,
        effect="The note stays readable, crossed out, with your name and reason under it. That cannot be undone.",
        icon="strikethrough_s",
    )
    def strike(self, request: HttpRequest, note: Note, confirmation: Confirmation) -> str:
        strike_note(note.pk, reason=confirmation.reason, actor=confirmation.actor, at=confirmation.at)
        return f"Note {note.pk} is struck."

    def _add_about(self, request: HttpRequest, app_label: str, model_name: str, object_id: str) -> HttpResponse:
        return write_note(_admin_of(request, app_label, model_name, VIEW_NOTES), request, object_id=object_id)


@admin.register(Attachment)
class AttachmentAdmin(AboutRecordsAdmin):
    list_display = ("uploaded", "download", "about", "bytes_shown", "media_type", "uploaded_by")
    list_display_links = None
    search_fields = ("=name", "=sha256")
    search_help_text = "Whole file name, or sha256"
    intro = (
        "Files that people attached to records, the latest first. A file is attached on the record's own page, is kept "
        "as it came, and is never opened by the console: it is downloaded."
    )
    empty_text = "No file is attached yet. Open a record, such as a payment, and choose Attach a file."
    fieldsets = (
        (None, {"fields": ("download", "about", "uploaded", "uploaded_by")}),
        ("Content", {"fields": ("media_type", "bytes_shown", "sha256", "formulas")}),
    )
    readonly_fields = ("download", "about", "uploaded", "bytes_shown", "formulas")
    uploaded = moment_column("uploaded_at", "attached")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("content")

    def get_urls(self) -> list[URLPattern]:
        attach = self.admin_site.admin_view(self._limited(self._attach))
        download = self.admin_site.admin_view(self._download)
        about = "about/<str:app_label>/<str:model_name>/<path:object_id>/"
        return [
            path(about, attach, name="notes_attachment_attach"),
            path("<int:pk>/download/", download, name="notes_attachment_download"),
            *super().get_urls(),
        ]

    @display(description="file")
    def download(self, kept: Attachment) -> SafeString:
        return file_link(kept)

    @display(description="size")
    def bytes_shown(self, kept: Attachment) -> str:
        return filesizeformat(kept.size)

    @display(description="formulas")
    def formulas(self, kept: Attachment) -> str:
        if not kept.holds_formulas:
            return "None were found"
        return "A spreadsheet would calculate cells of it, so it is downloaded as text"

    def _limited(self, view: Any) -> Any:
        """The view behind a look at the request's length, before anything reads, and so stores, what comes."""

        @csrf_exempt
        def limited(request: HttpRequest, **place: str) -> HttpResponse:
            try:
                length = int(request.META.get("CONTENT_LENGTH") or 0)
            except ValueError:
                length = 0
            if request.method == "POST" and length > settings.NOTE_ATTACHMENT_MAX_BYTES + ENVELOPE_BYTES:
                limit = filesizeformat(settings.NOTE_ATTACHMENT_MAX_BYTES)
                return HttpResponse(f"The file is too big: at most {limit}. Nothing was kept.", "text/plain", 413)
            answer: HttpResponse = csrf_protect(view)(request, **place)
            return answer

        return limited

    def _attach(self, request: HttpRequest, app_label: str, model_name: str, object_id: str) -> HttpResponse:
        return add_file(_admin_of(request, app_label, model_name, VIEW_FILES), request, object_id=object_id)

    def _download(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm(VIEW_FILES):
            raise PermissionDenied
        kept = Attachment.objects.filter(pk=pk).first()
        if kept is None:
            raise Http404(f"There is no file {pk}.")
        if not may_view_record(request, kept.object_type):
            raise PermissionDenied
        return download_of(kept)


@confirmed_action(
    description="Write a note",
    permission=ADD_NOTES,
    effect="The note stands on this record for good, with your name. It cannot be edited, only struck.",
    form=NoteForm,
    asks_reason=False,
)
def write_note(model_admin: Any, request: HttpRequest, record: Model, confirmation: Confirmation) -> str:
    add_note(record, body=confirmation.answers["body"], actor=confirmation.actor, at=confirmation.at)
    return "The note is written."


@confirmed_action(
    description="Attach a file",
    permission=ADD_FILES,
    effect="The file is kept with this record for good, as it is, with your name and the time.",
    form=FileForm,
    asks_reason=False,
)
def add_file(model_admin: Any, request: HttpRequest, record: Model, confirmation: Confirmation) -> str:
    given = confirmation.answers["file"]
    attaching = attach_file(record, name=given.name, content=given.read(), actor=confirmation.actor, at=confirmation.at)
    if attaching.is_new:
        return f"{attaching.attachment} is attached."
    return f"The same file is attached already, as {attaching.attachment}; nothing was added."


def download_of(kept: Attachment) -> HttpResponse:
    """The file as a download that no browser shows or guesses about; a CSV with formulas as text."""
    name, media_type = kept.name, kept.media_type
    if kept.holds_formulas:
        name, media_type = f"{name}.txt", "text/plain"
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_")
    return HttpResponse(
        bytes(kept.content),
        content_type=f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type,
        headers={
            "Content-Disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name)}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
        },
    )


def _admin_of(request: HttpRequest, app_label: str, model_name: str, permission: str) -> Any:
    """The admin of the record's model. Refuses whoever may not see such records, or what is kept about them."""
    try:
        model_admin = admin.site._registry[apps.get_model(app_label, model_name)]
    except LookupError:
        raise Http404(f"There is no page for {app_label}.{model_name}.") from None
    if not request.user.has_perm(permission) or not model_admin.has_view_permission(request):
        raise PermissionDenied
    return model_admin
