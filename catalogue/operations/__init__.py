"""Every write of the catalogue: records by form, import or seed, and new versions from a date. Each is audited."""

from __future__ import annotations

from catalogue.operations.records import save_alone, save_record
from catalogue.operations.versions import (
    new_link_version,
    new_rate_version,
    new_schedule_version,
    replace_gl_code,
)

__all__ = [
    "new_link_version",
    "new_rate_version",
    "new_schedule_version",
    "replace_gl_code",
    "save_alone",
    "save_record",
]
