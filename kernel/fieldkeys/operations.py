"""Encrypts what is stored under an older key anew, under the newest of FIELD_ENCRYPTION_KEYS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.crypto import SecretUnreadable, is_under_newest_key, rotate
from kernel.fieldkeys.columns import EncryptedColumn, encrypted_columns
from kernel.transactions import unit_of_work

UNREADABLE_NAMED = 100


@dataclass(slots=True)
class Rotation:
    """What came of the rows so far. Rows that no key opens are left as they are, and the first hundred are named."""

    rotated: int = 0
    already: int = 0
    unreadable: int = 0
    unreadable_rows: list[str] = field(default_factory=list)

    @property
    def seen(self) -> int:
        return self.rotated + self.already + self.unreadable

    def note_unreadable(self, column: EncryptedColumn, key: Any) -> None:
        self.unreadable += 1
        if len(self.unreadable_rows) < UNREADABLE_NAMED:
            self.unreadable_rows.append(f"{column} of row {key}")

    def as_json(self) -> dict[str, Any]:
        return {
            "rotated": self.rotated,
            "already": self.already,
            "unreadable": self.unreadable,
            "unreadable_rows": self.unreadable_rows,
        }


def rotate_field_keys(*, on_progress: Callable[[Rotation], None] = lambda rotation: None) -> Rotation:
    """Goes through every encrypted column of every app, in chunks that commit by themselves.

    What is under the newest key already is left alone, so a run that was stopped is begun again from the start.
    `on_progress` is called after each chunk, and stops the run by raising. A value that somebody changes meanwhile is
    under the newest key anyway, and is not overwritten.
    """
    rotation = Rotation()
    for column in encrypted_columns():
        for chunk in column.chunks():
            _rotate_chunk(column, chunk, rotation)
            on_progress(rotation)
    return rotation


@unit_of_work
def record_rotation(rotation: Rotation, *, run_id: UUID, actor: Actor, at: datetime) -> None:
    """Keeps in the audit how many values were encrypted anew, and which could not be read."""
    record_entry(
        actor=actor, action="field-keys.rotated", subject=("jobs.jobrun", str(run_id)), after=rotation.as_json(), at=at
    )


@unit_of_work
def _rotate_chunk(column: EncryptedColumn, chunk: list[tuple[Any, str]], rotation: Rotation) -> None:
    renewed: list[tuple[Any, str, str]] = []
    for key, token in chunk:
        if is_under_newest_key(token):
            rotation.already += 1
            continue
        try:
            renewed.append((key, token, rotate(token)))
        except SecretUnreadable:
            rotation.note_unreadable(column, key)
    exchanged = column.exchange(renewed)
    rotation.rotated += exchanged
    rotation.already += len(renewed) - exchanged
