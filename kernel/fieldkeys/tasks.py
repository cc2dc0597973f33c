"""The job that changes the keys of encrypted columns."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.fieldkeys import operations
from kernel.fieldkeys.columns import encrypted_columns
from kernel.jobs.progress import Progress
from kernel.jobs.registry import job


@job("rotate_field_keys", title="Encrypt stored secrets under the newest key", exclusive=True)
def rotate_field_keys(progress: Progress) -> dict[str, Any]:
    """Encrypts every value of every encrypted column under the newest key; gives the counts, and what is unreadable."""
    total = sum(column.count() for column in encrypted_columns())
    progress.report(phase="Encrypting", done=0, total=total)
    rotation = operations.rotate_field_keys(on_progress=lambda reached: progress.report(done=reached.seen))
    actor = Actor.system("rotation of field keys")
    operations.record_rotation(rotation, run_id=progress.run_id, actor=actor, at=timezone.now())
    return rotation.as_json()
