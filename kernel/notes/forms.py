"""What is filled in for a note and for a file."""

from __future__ import annotations

from django import forms
from django.conf import settings
from unfold.widgets import UnfoldAdminFileFieldWidget

from kernel.notes.mediatypes import MEDIA_TYPES
from kernel.notes.models import LONGEST_BODY


class NoteForm(forms.Form):
    body = forms.CharField(
        label="Note",
        max_length=LONGEST_BODY,
        help_text=f"At most {LONGEST_BODY:,} characters. Everybody who may see this record and its notes reads it.",
        widget=forms.Textarea(attrs={"rows": 5, "required": True}),
        error_messages={"required": "Write something."},
    )


class FileForm(forms.Form):
    file = forms.FileField(
        label="File",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ",".join(f".{ending}" for ending in MEDIA_TYPES)}),
        error_messages={"required": "Choose a file.", "empty": "The file is empty."},
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        kinds = ", ".join(ending.upper() for ending in sorted(MEDIA_TYPES) if ending != "jpg")
        megabytes = settings.NOTE_ATTACHMENT_MAX_BYTES / 1024 / 1024
        self.fields[
            "file"
        ].help_text = f"{kinds}; at most {megabytes:g} MB. It is kept as it is and cannot be taken back."
