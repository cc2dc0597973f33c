"""Which tables the chain of seals covers, and what of their rows is digested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SQL_FOLDER = Path(__file__).parent / "sql"


@dataclass(frozen=True, slots=True)
class SealedSource:
    """An append-only table with a number per row. All texts are SQL written by us; `entry` stands for the row.

    `content` are the expressions whose values can never change once the row is committed. Each must read the same in
    every session, so a timestamp goes in as `extract(epoch from entry.x)`. `recorded_at` says when a row came about.

    Rows of a source with `retirable`, a condition on the row, may be retired when they are old (retirement.py);
    `counted_by` is what their numbers are kept by.
    """

    name: str
    table: str
    position: str
    recorded_at: str
    content: Sequence[str]
    retirable: str = "false"
    counted_by: str = "''"

    def sql(self, statement: str) -> str:
        """The statement of this name in sql/, for this source."""
        # Plain replacement: a format string would trip over the braces of an empty multirange.
        # The text of a row tells a missing value from an empty one and from a JSON null, and is cheaper than JSON.
        text = (SQL_FOLDER / f"{statement}.sql").read_text()
        for mark, value in {
            "<table>": self.table,
            "<position>": self.position,
            "<recorded_at>": self.recorded_at,
            "<retirable>": self.retirable,
            "<counted_by>": self.counted_by,
            "<digest>": f"sha256(convert_to(row({', '.join(self.content)})::text, 'UTF8'))",
        }.items():
            text = text.replace(mark, value)
        return text


_sources: dict[str, SealedSource] = {}


def register_source(source: SealedSource) -> None:
    """Adds a table to the chain. Called once per process, when its app is ready."""
    _sources[source.name] = source


def all_sources() -> tuple[SealedSource, ...]:
    return tuple(_sources[name] for name in sorted(_sources))


def source_named(name: str) -> SealedSource:
    """The registered table of this name. Raises KeyError when there is none."""
    return _sources[name]


register_source(
    SealedSource(
        name="audit_entry",
        table="audit_entry",
        position="id",
        recorded_at="entry.recorded_at",
        content=(
            "entry.id",
            "extract(epoch from entry.recorded_at)",
            "entry.actor",
            "entry.actor_kind",
            "entry.user_id",
            "entry.action",
            "entry.object_type",
            "entry.object_id",
            "entry.object_label",
            "entry.reason",
            "entry.before",
            "entry.after",
            "entry.request_id",
            "entry.change_set",
            "entry.source",
        ),
    )
)
register_source(
    SealedSource(
        name="audit_retirement",
        table="audit_retirement",
        position="id",
        recorded_at="entry.retired_at",
        content=(
            "entry.id",
            "entry.operation",
            "entry.seal_sequence",
            "entry.source",
            "extract(epoch from entry.retired_at)",
            "extract(epoch from entry.first_recorded_at)",
            "extract(epoch from entry.last_recorded_at)",
            "entry.entry_count",
            "entry.content_digest",
            "entry.counts",
            "entry.job_run_id",
        ),
    )
)
