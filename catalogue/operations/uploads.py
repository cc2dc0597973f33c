"""Files that wait to be imported: kept in the database, so that whichever process is asked next finds them."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from catalogue.models import UploadedTable
from kernel.errors import NotFound
from kernel.transactions import unit_of_work

KEPT_FOR = timedelta(days=1)


class UploadGone(NotFound):
    """The uploaded file is no longer here."""

    code = "catalogue-upload-gone"
    title = "Upload gone"
    next_step = "Upload the file again."


@unit_of_work
def keep_upload(content: bytes, *, at: datetime) -> UUID:
    """Keeps the file for a day, and lets go of those that nobody has confirmed within one. The key to read it by."""
    UploadedTable.objects.filter(uploaded_at__lt=at - KEPT_FOR).delete()
    return UploadedTable.objects.create(content=content, uploaded_at=at).pk


def read_upload(key: str) -> bytes:
    """The file as it was uploaded. Raises UploadGone."""
    try:
        return bytes(UploadedTable.objects.get(pk=UUID(key)).content)
    except (ValueError, UploadedTable.DoesNotExist):
        raise UploadGone(
            "The uploaded file is no longer here: it is kept for a day, and until it is imported."
        ) from None


@unit_of_work
def drop_upload(key: str) -> None:
    """Lets go of the file; there may be none of this key any more."""
    UploadedTable.objects.filter(pk=UUID(key)).delete()
