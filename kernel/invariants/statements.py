"""Checks that are SQL: a count of what is looked at, and statements that give what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from kernel.invariants.registry import Breach, Look

BREACHES_KEPT = 20
# `id`, `sentence`, and `is_broken`, which is false for a record that cannot be judged (yet).
COUNTED = """
with wrong as materialized ({statement})
select id, sentence, (select count(*) from wrong where is_broken), (select count(*) from wrong where not is_broken)
from (select 1) always
left join (select id, sentence from wrong where is_broken order by id limit {limit}) shown on true
"""


def look_by_sql(counting: str, wrong: Sequence[str], parameters: Mapping[str, Any] | None = None) -> Look:
    """Runs `counting`, which gives one number, and each statement of `wrong`, which gives (id, sentence, is_broken)."""
    values = dict(parameters or {})
    broken = unresolved = 0
    breaches: list[Breach] = []
    with connection.cursor() as cursor:
        cursor.execute(counting, values)
        looked_at = int(cursor.fetchone()[0])
        for statement in wrong:
            cursor.execute(COUNTED.format(statement=statement, limit=BREACHES_KEPT), values)
            rows = cursor.fetchall()
            broken += rows[0][2]
            unresolved += rows[0][3]
            breaches += [Breach(identity, sentence) for identity, sentence, *_ in rows if identity is not None]
    return Look(looked_at, broken, tuple(breaches[:BREACHES_KEPT]), unresolved)
