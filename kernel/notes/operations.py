"""Writing notes, striking them, and attaching files: each with its audit entry, in one transaction."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, models, transaction

from kernel.audit.actors import Actor
from kernel.audit.operations import LABEL_LIMIT, record_entry
from kernel.audit.querysets import Subject, identify
from kernel.errors import Conflict, NotFound, Refused
from kernel.notes.filenames import clean_name
from kernel.notes.mediatypes import FileRefused, holds_formulas, media_type_of
from kernel.notes.models import LONGEST_BODY, Attachment, Note
from kernel.transactions import inside_unit_of_work, unit_of_work


class NoteRefused(Refused):
    """The note says nothing, or too much."""

    code = "note-refused"
    next_step = f"Write between 1 and {LONGEST_BODY:,} characters; attach a file for more."


class NoSuchNote(NotFound):
    """There is no note of this number."""

    code = "unknown-note"


class NoteStruck(Conflict):
    """The note is struck already, or strikes another one itself."""

    code = "note-struck"
    next_step = "Read the note that struck it; write a new note if something is missing."


@dataclass(frozen=True, slots=True)
class Attaching:
    """The attached file, and whether it was new on its record."""

    attachment: Attachment
    is_new: bool


@unit_of_work
def add_note(subject: Subject, *, body: str, actor: Actor, at: datetime) -> Note:
    """Writes a note about a saved record, or (object type, object id). Raises NoteRefused."""
    return keep_note(subject, body=body, actor=actor, at=at)


@inside_unit_of_work
def keep_note(subject: Subject, *, body: str, actor: Actor, at: datetime) -> Note:
    """As add_note, as a step of the caller's unit of work."""
    note = Note.objects.create(**_about(subject), body=_fit(body), **_written(actor, at))
    record_entry(actor=actor, action="note.added", subject=note, after=_place_of(note), at=at)
    return note


@unit_of_work
def strike_note(note_id: int, *, reason: str, actor: Actor, at: datetime) -> Note:
    """Strikes a mistaken note by another one that says why, and gives that one; both stay.

    Raises NoSuchNote, NoteRefused without a reason, NoteStruck when it is struck already or strikes another.
    """
    mistaken = Note.objects.filter(pk=note_id).first()
    if mistaken is None:
        raise NoSuchNote(f"There is no note {note_id}.")
    if mistaken.strikes_id is not None:
        raise NoteStruck(f"{mistaken} strikes note {mistaken.strikes_id}: it cannot be struck itself.", ids=[note_id])
    place = {
        "object_type": mistaken.object_type,
        "object_id": mistaken.object_id,
        "object_label": mistaken.object_label,
    }
    try:
        with transaction.atomic():
            striking = Note.objects.create(**place, body=_fit(reason), strikes=mistaken, **_written(actor, at))
    except IntegrityError:
        raise NoteStruck(f"{mistaken} is struck already.", ids=[note_id]) from None
    record_entry(
        actor=actor, action="note.struck", subject=mistaken, reason=striking.body, after=_place_of(mistaken), at=at
    )
    return striking


@unit_of_work
def attach_file(subject: Subject, *, name: str, content: bytes, actor: Actor, at: datetime) -> Attaching:
    """Keeps a file with a saved record, or (object type, object id); the same bytes on it once. Raises FileRefused."""
    return keep_file(subject, name=name, content=content, actor=actor, at=at)


@inside_unit_of_work
def keep_file(subject: Subject, *, name: str, content: bytes, actor: Actor, at: datetime) -> Attaching:
    """As attach_file, as a step of the caller's unit of work."""
    if len(content) > settings.NOTE_ATTACHMENT_MAX_BYTES:
        raise FileRefused(
            f"The file has {len(content):,} bytes; at most {settings.NOTE_ATTACHMENT_MAX_BYTES:,} are kept."
        )
    cleaned = clean_name(name)
    media_type = media_type_of(cleaned, content)
    place = _about(subject)
    try:
        with transaction.atomic():
            attachment = Attachment.objects.create(
                **place,
                name=cleaned,
                media_type=media_type,
                holds_formulas=holds_formulas(media_type, content),
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                content=content,
                uploaded_by=actor.name,
                uploader_kind=actor.kind,
                uploaded_at=at,
            )
    except IntegrityError as error:
        if "attachment_once_on_a_record" not in str(error):
            raise
        digest = hashlib.sha256(content).hexdigest()
        there = Attachment.objects.about([(place["object_type"], place["object_id"])]).get(sha256=digest)
        return Attaching(there, is_new=False)
    after = {**_place_of(attachment), "name": cleaned, "size": attachment.size, "sha256": attachment.sha256}
    record_entry(actor=actor, action="attachment.added", subject=attachment, after=after, at=at)
    return Attaching(attachment, is_new=True)


def _about(subject: Subject) -> dict[str, str]:
    object_type, object_id = identify(subject)
    label = str(subject)[:LABEL_LIMIT] if isinstance(subject, models.Model) else ""
    return {"object_type": object_type, "object_id": object_id, "object_label": label}


def _written(actor: Actor, at: datetime) -> dict[str, object]:
    return {"author": actor.name, "author_kind": actor.kind, "created_at": at}


def _place_of(kept: Note | Attachment) -> dict[str, str]:
    return {"object_type": kept.object_type, "object_id": kept.object_id}


def _fit(body: str) -> str:
    """The text with unix line ends, without control characters and overrides of the direction of writing."""
    text = unicodedata.normalize("NFC", body.replace("\r\n", "\n").replace("\r", "\n"))
    fit = "".join(
        sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
    ).strip()
    if not fit:
        raise NoteRefused("The note is empty.")
    if len(fit) > LONGEST_BODY:
        raise NoteRefused(f"The note has {len(fit):,} characters; {LONGEST_BODY:,} are the most.")
    return fit
