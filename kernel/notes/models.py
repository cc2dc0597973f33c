"""What people write about a record, and the files that they attach to it. Rows are only added, by trigger."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

from kernel.audit.actors import ActorKind
from kernel.notes.querysets import AttachmentQuerySet, NoteQuerySet

LONGEST_BODY = 4096


class Note(models.Model):
    """One remark about one record of any app. A mistaken one is struck by another note, and stays readable."""

    # As the audit names a subject: `app.model` in lower case, and the key as text.
    object_type = models.TextField()
    object_id = models.TextField()
    object_label = models.TextField(blank=True, default="")
    body = models.TextField()
    # The note that this one strikes; its body says why.
    strikes = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="struck_by")
    author = models.TextField()
    author_kind = models.TextField(choices=[(kind.value, kind.value.replace("_", " ")) for kind in ActorKind])
    created_at = models.DateTimeField()

    objects = NoteQuerySet.as_manager()

    class Meta:
        db_table = "note"
        default_permissions = ("view", "add")
        permissions = [("strike_note", "Can strike a mistaken note")]
        indexes = [
            models.Index(fields=["object_type", "object_id", "-id"], name="note_object"),
            GinIndex(SearchVector("body", config="english"), name="note_words"),
        ]
        constraints = [
            models.CheckConstraint(
                name="note_says_something",
                condition=~Q(body="") & ~Q(author="") & ~Q(object_type="") & ~Q(object_id=""),
            ),
            models.CheckConstraint(
                name="note_not_too_long", condition=Q(LessThanOrEqual(Length("body"), LONGEST_BODY))
            ),
            models.CheckConstraint(name="note_strikes_another", condition=Q(strikes=None) | ~Q(strikes=F("id"))),
        ]

    def __str__(self) -> str:
        return f"Note {self.pk}"


class Attachment(models.Model):
    """One file on one record of any app, as it came. The same bytes are on one record once."""

    object_type = models.TextField()
    object_id = models.TextField()
    object_label = models.TextField(blank=True, default="")
    name = models.TextField()
    media_type = models.TextField()
    # Whether a spreadsheet would calculate something in it: then it goes out as text.
    holds_formulas = models.BooleanField(default=False)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    uploaded_by = models.TextField()
    uploader_kind = models.TextField(choices=[(kind.value, kind.value.replace("_", " ")) for kind in ActorKind])
    uploaded_at = models.DateTimeField()

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        db_table = "attachment"
        verbose_name = "attached file"
        default_permissions = ("view", "add")
        indexes = [models.Index(fields=["name"], name="attachment_name")]
        constraints = [
            models.UniqueConstraint(fields=["object_type", "object_id", "sha256"], name="attachment_once_on_a_record"),
            models.CheckConstraint(
                name="attachment_is_what_it_says",
                condition=Q(size__gt=0)
                & Q(size=Func(F("content"), function="octet_length", output_field=models.BigIntegerField()))
                & Q(
                    sha256=Func(
                        Func(F("content"), function="sha256"),
                        Value("hex"),
                        function="encode",
                        output_field=models.TextField(),
                    )
                ),
            ),
            models.CheckConstraint(
                name="attachment_named",
                condition=~Q(name="") & ~Q(uploaded_by="") & ~Q(object_type="") & ~Q(object_id=""),
            ),
        ]

    def __str__(self) -> str:
        return self.name
