"""An invented catalogue for a first look: products, prices and GL codes, read from fixtures/catalogue as any import."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from catalogue.exchange import RESOURCES, CatalogueResource, Importer, SafeCSV, problems_of
from kernel.audit.actors import Actor
from kernel.errors import Refused

FOLDER = Path(settings.BASE_DIR) / "fixtures" / "catalogue"
ACTOR = Actor.command("load_demo")
REASON = "Demo data"


class SeedRefused(Refused):
    """A line of the invented catalogue does not go together with what is there."""

    code = "catalogue-seed-refused"


def load_catalogue(at: datetime) -> int:
    """Adds what is not there yet and leaves alone what is, one table after the other; how many rows were added.

    Raises SeedRefused naming the file and the line; the tables before it are kept then.
    """
    return sum(_load(resource_class, at) for resource_class in RESOURCES)


def _load(resource_class: type[CatalogueResource], at: datetime) -> int:
    file = FOLDER / f"{resource_class._meta.model._meta.verbose_name_plural.lower().replace(' ', '_')}.csv"
    rows = SafeCSV().create_dataset(file.read_text(encoding="utf-8"))
    resource = resource_class(importer=Importer(ACTOR, at, REASON), only_new=True)
    result: Any = resource.import_data(rows, rollback_on_validation_errors=True, file_name=file.name)
    for line, message in problems_of(result):
        raise SeedRefused(f"{file.name}, line {line}: {message}")
    return int(result.totals["new"])
