"""Notes and files in the console: on every record, in its story, searched, downloaded, closed to who may not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from kernel.audit.actors import Actor
from kernel.notes.models import Attachment, Note
from kernel.notes.operations import add_note, attach_file, strike_note
from payments.models import Channel
from payments.operations.channels import create_channel

admin.autodiscover()
pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)
PAT = Actor.system("pat")
PDF = b"%PDF-1.7\nhello"
SEE_CHANNELS = "payments.view_channel"
EVERYTHING = (
    SEE_CHANNELS,
    "notes.view_note",
    "notes.add_note",
    "notes.strike_note",
    "notes.view_attachment",
    "notes.add_attachment",
)


@pytest.fixture
def channel() -> Channel:
    return create_channel(slug="shop", name="Shop", actor=PAT, at=AT).channel


@pytest.fixture
def staff() -> Callable[..., Client]:
    def signed_in(*permissions: str) -> Client:
        user = User.objects.create_user("kim", is_staff=True)
        for permission in permissions:
            label, codename = permission.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
        client = Client(enforce_csrf_checks=False)
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in


def page_of(channel: Channel) -> str:
    return f"/admin/payments/channel/{channel.pk}/change/"


def writing(channel: Channel) -> str:
    return f"/admin/notes/note/about/payments/channel/{channel.pk}/"


def attaching(channel: Channel) -> str:
    return f"/admin/notes/attachment/about/payments/channel/{channel.pk}/"


def a_file(channel: Channel, name: str = "slip.pdf", content: bytes = PDF) -> Attachment:
    return attach_file(channel, name=name, content=content, actor=PAT, at=AT).attachment


def upload(name: str = "slip.pdf", content: bytes = PDF) -> dict[str, Any]:
    return {"confirmed": "yes", "file": SimpleUploadedFile(name, content)}


def test_a_note_is_written_from_the_record_and_stands_on_it(staff: Callable[..., Client], channel: Channel) -> None:
    client = staff(*EVERYTHING)
    assert writing(channel) in client.get(page_of(channel)).content.decode()
    asked = client.get(writing(channel)).content.decode()
    assert 'name="body"' in asked
    assert str(channel) in asked
    assert not Note.objects.exists()
    assert client.post(writing(channel), {"confirmed": "yes", "body": " "}).status_code == 200
    assert not Note.objects.exists()
    answer = client.post(writing(channel), {"confirmed": "yes", "body": "They <b>moved</b> offices"})
    assert (answer.status_code, answer.headers["Location"]) == (302, page_of(channel))
    note = Note.objects.get()
    assert (note.author, note.author_kind, note.object_type, note.object_id) == (
        "kim",
        "staff",
        "payments.channel",
        str(channel.pk),
    )
    text = client.get(page_of(channel)).content.decode()
    # In the panel and in the story, and nowhere as markup.
    assert text.count("They &lt;b&gt;moved&lt;/b&gt; offices") == 2
    assert "<b>moved</b>" not in text
    assert f"<b>Note {note.pk} written</b>" in text


def test_a_note_is_struck_and_stays_readable(staff: Callable[..., Client], channel: Channel) -> None:
    client = staff(*EVERYTHING)
    note = add_note(channel, body="Paid in cash", actor=PAT, at=AT)
    strike = f"/admin/notes/note/{note.pk}/strike/"
    assert strike in client.get(page_of(channel)).content.decode()
    client.post(strike, {"confirmed": "yes", "reason": "Another channel"}, follow=True)
    assert Note.objects.get(strikes=note).body == "Another channel"
    text = client.get(page_of(channel)).content.decode()
    assert "<s>Paid in cash</s>" in text
    assert "Struck by kim: Another channel" in text
    assert strike not in text
    assert client.post(strike, {"confirmed": "yes", "reason": "again"}).status_code == 409
    assert Note.objects.count() == 2


def test_a_file_is_attached_and_downloaded_as_it_came(staff: Callable[..., Client], channel: Channel) -> None:
    client = staff(*EVERYTHING)
    assert 'enctype="multipart/form-data"' in client.get(attaching(channel)).content.decode()
    assert client.post(attaching(channel), upload("../Zahlung é.pdf")).headers["Location"] == page_of(channel)
    kept = Attachment.objects.get()
    assert f"/admin/notes/attachment/{kept.pk}/download/" in client.get(page_of(channel)).content.decode()
    answer = client.get(f"/admin/notes/attachment/{kept.pk}/download/")
    assert answer.content == PDF
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"Zahlung _.pdf\"; filename*=UTF-8''Zahlung%20%C3%A9.pdf"
    )
    again = client.post(attaching(channel), upload("other.pdf"), follow=True)
    assert "The same file is attached already, as Zahlung é.pdf" in again.content.decode()
    assert Attachment.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "content"), [("a.html", b"<html>"), ("a.pdf", b"<html><script>"), ("a\u202efdp.exe", b"MZ")]
)
def test_a_file_of_another_kind_is_refused_with_the_reason(
    staff: Callable[..., Client], channel: Channel, name: str, content: bytes
) -> None:
    answer = staff(*EVERYTHING).post(attaching(channel), upload(name, content))
    assert answer.status_code == 422
    assert "Nothing was changed." in answer.content.decode()
    assert not Attachment.objects.exists()


def test_a_request_that_is_too_long_is_refused_before_it_is_read(
    staff: Callable[..., Client], channel: Channel, settings: Any
) -> None:
    settings.NOTE_ATTACHMENT_MAX_BYTES = 1024
    client = staff(*EVERYTHING)
    assert client.post(attaching(channel), upload(content=PDF + b"x" * 100_000)).status_code == 413
    assert client.post(attaching(channel), upload(content=PDF + b"x" * 2000)).status_code == 422
    assert not Attachment.objects.exists()


def test_attaching_is_held_to_the_token_against_forged_requests(staff: Callable[..., Client], channel: Channel) -> None:
    client = staff(*EVERYTHING)
    client.handler.enforce_csrf_checks = True
    assert client.post(attaching(channel), upload()).status_code == 403
    assert not Attachment.objects.exists()


def test_a_csv_with_formulas_is_downloaded_as_text(staff: Callable[..., Client], channel: Channel) -> None:
    kept = a_file(channel, "rows.csv", b"name\n=1+1\n")
    answer = staff(*EVERYTHING).get(f"/admin/notes/attachment/{kept.pk}/download/")
    assert (answer.content, answer.headers["Content-Type"]) == (b"name\n=1+1\n", "text/plain; charset=utf-8")
    assert 'filename="rows.csv.txt"' in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("missing", ["payments.view_channel", "notes.view_attachment"])
def test_a_download_needs_the_view_of_files_and_of_the_record(
    staff: Callable[..., Client], channel: Channel, missing: str
) -> None:
    kept = a_file(channel)
    client = staff(*[permission for permission in EVERYTHING if permission != missing])
    assert client.get(f"/admin/notes/attachment/{kept.pk}/download/").status_code == 403


def test_a_file_about_what_has_no_page_is_not_downloaded(staff: Callable[..., Client]) -> None:
    kept = attach_file(("nowhere.thing", "1"), name="a.pdf", content=PDF, actor=PAT, at=AT).attachment
    client = staff(*EVERYTHING)
    assert client.get(f"/admin/notes/attachment/{kept.pk}/download/").status_code == 403
    assert client.get("/admin/notes/attachment/0/download/").status_code == 404


@pytest.mark.parametrize("missing", ["payments.view_channel", "notes.view_note", "notes.add_note"])
def test_writing_needs_the_permission_and_the_view_of_notes_and_of_the_record(
    staff: Callable[..., Client], channel: Channel, missing: str
) -> None:
    client = staff(*[permission for permission in EVERYTHING if permission != missing])
    assert client.get(writing(channel)).status_code == 403
    assert client.post(writing(channel), {"confirmed": "yes", "body": "x"}).status_code == 403
    assert not Note.objects.exists()


@pytest.mark.parametrize("missing", ["payments.view_channel", "notes.view_attachment", "notes.add_attachment"])
def test_attaching_needs_the_permission_and_the_view_of_files_and_of_the_record(
    staff: Callable[..., Client], channel: Channel, missing: str
) -> None:
    client = staff(*[permission for permission in EVERYTHING if permission != missing])
    assert client.post(attaching(channel), upload()).status_code == 403
    assert not Attachment.objects.exists()


def test_nothing_is_written_about_what_is_not_there(staff: Callable[..., Client], channel: Channel) -> None:
    client = staff(*EVERYTHING)
    note = {"confirmed": "yes", "body": "x"}
    assert client.post("/admin/notes/note/about/payments/channel/999999/", note).status_code == 404
    assert client.post("/admin/notes/note/about/no/such/1/", note).status_code == 404
    assert not Note.objects.exists()


def test_without_the_view_of_notes_a_record_shows_none_of_them(staff: Callable[..., Client], channel: Channel) -> None:
    add_note(channel, body="Secret remark", actor=PAT, at=AT)
    a_file(channel, "secret.pdf")
    text = staff(SEE_CHANNELS).get(page_of(channel)).content.decode()
    assert "Secret remark" not in text
    assert "secret.pdf" not in text
    assert "Notes and files" not in text


def test_the_lists_show_only_what_is_about_records_that_the_person_may_see(
    staff: Callable[..., Client], channel: Channel
) -> None:
    add_note(channel, body="About the shop", actor=PAT, at=AT)
    add_note(("payments.payment", "1"), body="About a payment", actor=PAT, at=AT)
    a_file(channel)
    attach_file(("payments.payment", "1"), name="b.pdf", content=PDF, actor=PAT, at=AT)
    client = staff(*EVERYTHING)
    listed = client.get("/admin/notes/note/").context["cl"].result_list
    assert [note.body for note in listed] == ["About the shop"]
    listed = client.get("/admin/notes/attachment/").context["cl"].result_list
    assert [kept.name for kept in listed] == ["slip.pdf"]
    other = Note.objects.get(object_type="payments.payment")
    assert client.get(f"/admin/notes/note/{other.pk}/change/").status_code == 302
    assert client.get(f"/admin/notes/note/{other.pk}/strike/").status_code == 404


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("refunds", ["We refunded 12.50", "Refund refused"]),
        ("refund 12.50", ["We refunded 12.50"]),
        ('"refund refused"', ["Refund refused"]),
        ("refund -refused", ["We refunded 12.50"]),
        ("cheque", []),
        ("'; drop table note; --", []),
        ('"unclosed', []),
    ],
)
def test_notes_are_found_by_their_words(
    staff: Callable[..., Client], channel: Channel, term: str, found: list[str]
) -> None:
    for body in ("We refunded 12.50", "Refund refused", "They called"):
        add_note(channel, body=body, actor=PAT, at=AT)
    listed = staff(*EVERYTHING).get("/admin/notes/note/", {"q": term}).context["cl"].result_list
    assert sorted(note.body for note in listed) == sorted(found)


def test_the_search_reads_the_index_of_words(channel: Channel) -> None:
    add_note(channel, body="Refund refused", actor=PAT, at=AT)
    with connection.cursor() as cursor:
        cursor.execute("set enable_seqscan = off")
        plan = Note.objects.matching("refund").explain()
        cursor.execute("reset enable_seqscan")
    assert "note_words" in plan


def test_struck_notes_are_listed_with_who_struck_them(staff: Callable[..., Client], channel: Channel) -> None:
    strike_note(add_note(channel, body="Wrong", actor=PAT, at=AT).pk, reason="Mixed up", actor=PAT, at=AT)
    text = staff(*EVERYTHING).get("/admin/notes/note/").content.decode()
    assert "<s>Wrong</s>" in text
    assert "Struck by pat: Mixed up" in text


def test_the_empty_lists_say_what_will_be_in_them(staff: Callable[..., Client]) -> None:
    client = staff(*EVERYTHING)
    assert "Nobody has written a note yet" in client.get("/admin/notes/note/").content.decode()
    assert "No file is attached yet" in client.get("/admin/notes/attachment/").content.decode()
