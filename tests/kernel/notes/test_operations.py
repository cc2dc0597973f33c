"""Notes and files on any record: kept for good, struck and never edited, the same bytes once, each with its audit."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection

from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.notes.mediatypes import FileRefused
from kernel.notes.models import LONGEST_BODY, Attachment, Note
from kernel.notes.operations import (
    NoSuchNote,
    NoteRefused,
    NoteStruck,
    add_note,
    attach_file,
    keep_file,
    keep_note,
    strike_note,
)
from kernel.transactions import TransactionMisuse, unit_of_work

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)
PAT, KIM = Actor.system("pat"), Actor.api_client("kim")
ABOUT = ("payments.payment", "7")
PDF = b"%PDF-1.7\nhello"


def written(body: str = "The payer called", about: tuple[str, str] = ABOUT) -> Note:
    return add_note(about, body=body, actor=PAT, at=AT)


def audited(action: str) -> list[tuple[str, str, str, Any]]:
    entries = AuditEntry.objects.filter(action=action).order_by("id")
    return [(entry.object_type, entry.object_id, entry.actor, entry.after) for entry in entries]


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    barrier, outcomes = threading.Barrier(len(calls)), []

    def run(call: Callable[[], Any]) -> None:
        try:
            barrier.wait()
            outcomes.append(call())
        except Exception as error:
            outcomes.append(type(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_a_note_keeps_who_wrote_what_about_what_and_when() -> None:
    note = written("  Called twice.\r\nWill pay.\x00\u202e ")
    kept = Note.objects.get()
    assert (kept.pk, kept.object_type, kept.object_id) == (note.pk, "payments.payment", "7")
    assert (kept.body, kept.author, kept.author_kind, kept.created_at) == (
        "Called twice.\nWill pay.",
        "pat",
        "system",
        AT,
    )
    place = {"object_type": "payments.payment", "object_id": "7"}
    assert audited("note.added") == [("notes.note", str(note.pk), "pat", place)]


def test_a_note_about_a_record_keeps_how_the_record_was_named() -> None:
    first = written()
    about = add_note(first, body="On a note", actor=PAT, at=AT)
    assert (about.object_type, about.object_id, about.object_label) == ("notes.note", str(first.pk), f"Note {first.pk}")


@pytest.mark.parametrize("body", ["", " \n\t ", "\x00\x07\u200b", "x" * (LONGEST_BODY + 1)])
def test_a_note_that_says_nothing_or_too_much_is_refused(body: str) -> None:
    with pytest.raises(NoteRefused):
        written(body)
    assert (Note.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_the_longest_note_is_kept() -> None:
    assert written("x" * LONGEST_BODY).body == "x" * LONGEST_BODY


def test_a_mistaken_note_is_struck_by_another_and_both_stay() -> None:
    mistaken = written("Paid in cash")
    striking = strike_note(mistaken.pk, reason="Another payer", actor=KIM, at=AT)
    assert (striking.strikes_id, striking.body, striking.author) == (mistaken.pk, "Another payer", "kim")
    assert (striking.object_type, striking.object_id) == ABOUT
    assert Note.objects.get(pk=mistaken.pk).body == "Paid in cash"
    assert Note.objects.get(pk=mistaken.pk).struck_by == striking
    assert AuditEntry.objects.get(action="note.struck").reason == "Another payer"


def test_a_note_is_struck_once_and_a_striking_one_never() -> None:
    mistaken = written()
    striking = strike_note(mistaken.pk, reason="Wrong", actor=KIM, at=AT)
    with pytest.raises(NoteStruck, match="struck already"):
        strike_note(mistaken.pk, reason="Wrong", actor=KIM, at=AT)
    with pytest.raises(NoteStruck, match="cannot be struck itself"):
        strike_note(striking.pk, reason="Wrong", actor=KIM, at=AT)
    with pytest.raises(NoSuchNote):
        strike_note(0, reason="Wrong", actor=KIM, at=AT)
    with pytest.raises(NoteRefused):
        strike_note(written().pk, reason=" ", actor=KIM, at=AT)
    assert Note.objects.filter(strikes__isnull=False).count() == 1
    assert AuditEntry.objects.filter(action="note.struck").count() == 1


def test_of_six_who_strike_at_once_one_does() -> None:
    mistaken = written()
    outcomes = together([lambda: strike_note(mistaken.pk, reason="Wrong", actor=KIM, at=AT).strikes_id] * 6)
    assert sorted(outcomes, key=str) == sorted([mistaken.pk, *[NoteStruck] * 5], key=str)
    assert Note.objects.count() == 2


@pytest.mark.parametrize("statement", ["update note set body = 'x'", "delete from note", "truncate note cascade"])
def test_the_database_refuses_to_change_a_note(statement: str) -> None:
    written()
    with pytest.raises(IntegrityError, match="only ever added"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Note.objects.get().body == "The payer called"


@pytest.mark.parametrize("statement", ["update attachment set name = 'x'", "delete from attachment"])
def test_the_database_refuses_to_change_a_file(statement: str) -> None:
    attach_file(ABOUT, name="a.pdf", content=PDF, actor=PAT, at=AT)
    with pytest.raises(IntegrityError, match="only ever added"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Attachment.objects.get().name == "a.pdf"


def test_a_file_keeps_its_bytes_and_who_brought_it() -> None:
    attaching = attach_file(ABOUT, name="C:\\scans\\Slip 7.PDF", content=PDF, actor=PAT, at=AT)
    kept = Attachment.objects.get()
    assert attaching.is_new
    assert (kept.name, kept.media_type, kept.size) == ("Slip 7.PDF", "application/pdf", len(PDF))
    assert (bytes(kept.content), kept.sha256) == (PDF, hashlib.sha256(PDF).hexdigest())
    assert (kept.uploaded_by, kept.uploaded_at, kept.holds_formulas) == ("pat", AT, False)
    after = {"object_type": "payments.payment", "object_id": "7", "name": kept.name, "size": 14, "sha256": kept.sha256}
    assert audited("attachment.added") == [("notes.attachment", str(kept.pk), "pat", after)]


def test_the_same_bytes_are_on_one_record_once_and_on_another_again() -> None:
    first = attach_file(ABOUT, name="a.pdf", content=PDF, actor=PAT, at=AT)
    again = attach_file(ABOUT, name="b.pdf", content=PDF, actor=KIM, at=AT)
    assert (again.is_new, again.attachment.pk, again.attachment.name) == (False, first.attachment.pk, "a.pdf")
    assert attach_file(("payments.payment", "8"), name="a.pdf", content=PDF, actor=PAT, at=AT).is_new
    assert Attachment.objects.count() == 2
    assert AuditEntry.objects.filter(action="attachment.added").count() == 2


def test_of_six_that_attach_the_same_bytes_at_once_one_adds_them() -> None:
    outcomes = together([lambda: attach_file(ABOUT, name="a.pdf", content=PDF, actor=PAT, at=AT).is_new] * 6)
    assert sorted(outcomes) == [False] * 5 + [True]
    assert (Attachment.objects.count(), AuditEntry.objects.count()) == (1, 1)


def test_a_file_over_the_limit_is_refused(settings: Any) -> None:
    settings.NOTE_ATTACHMENT_MAX_BYTES = len(PDF)
    assert attach_file(ABOUT, name="a.pdf", content=PDF, actor=PAT, at=AT).is_new
    with pytest.raises(FileRefused, match="15 bytes; at most 14"):
        attach_file(ABOUT, name="a.pdf", content=PDF + b"!", actor=PAT, at=AT)
    assert Attachment.objects.count() == 1


@pytest.mark.parametrize(("name", "content"), [("a.exe", b"MZ"), ("a.pdf", b"<html>"), ("a.pdf", b""), ("pdf", PDF)])
def test_a_file_of_another_kind_is_refused_and_nothing_is_kept(name: str, content: bytes) -> None:
    with pytest.raises(FileRefused):
        attach_file(ABOUT, name=name, content=content, actor=PAT, at=AT)
    assert (Attachment.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_bytes_that_are_not_what_their_row_says_are_refused_by_the_database() -> None:
    attachment = attach_file(ABOUT, name="a.pdf", content=PDF, actor=PAT, at=AT).attachment
    for change in ({"content": b"other"}, {"size": 3}, {"sha256": "0" * 64}):
        row = {"object_id": "9", **change}
        copy = Attachment.objects.get(pk=attachment.pk)
        copy.pk = None
        for name, value in row.items():
            setattr(copy, name, value)
        with pytest.raises(IntegrityError, match="attachment_is_what_it_says"):
            copy.save(force_insert=True)
    assert Attachment.objects.count() == 1


def test_the_steps_join_the_unit_of_work_of_their_caller() -> None:
    @unit_of_work
    def both(fails: bool) -> None:
        keep_note(ABOUT, body="With evidence", actor=PAT, at=AT)
        keep_file(ABOUT, name="a.pdf", content=PDF, actor=PAT, at=AT)
        keep_file(ABOUT, name="a.pdf", content=PDF, actor=PAT, at=AT)
        if fails:
            raise KeyError

    with pytest.raises(KeyError):
        both(True)
    assert (Note.objects.count(), Attachment.objects.count(), AuditEntry.objects.count()) == (0, 0, 0)
    both(False)
    assert (Note.objects.count(), Attachment.objects.count(), AuditEntry.objects.count()) == (1, 1, 2)
    with pytest.raises(TransactionMisuse):
        keep_note(ABOUT, body="x", actor=PAT, at=AT)
