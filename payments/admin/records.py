"""How the stories of payments' records name them; the record page itself is the kernel's."""

from __future__ import annotations

from kernel.adminsite import RecordAdmin, Step, name_thing

__all__ = ["RecordAdmin", "Step"]

name_thing("stagingrejection", "Rejection")
name_thing("referenceconflict", "Conflict")
