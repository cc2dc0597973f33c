"""The catalogue's tables as files: what goes out as CSV or JSON comes in again, row by row through the operations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Case, Q, When
from import_export.fields import Field
from import_export.formats.base_formats import CSV, JSON
from import_export.resources import ModelResource
from import_export.results import RowResult
from import_export.widgets import BooleanWidget, DateWidget, DecimalWidget, ForeignKeyWidget
from tablib import Dataset

from catalogue.models import FeeCode, FeeSchedule, FilingType, GLCode, GLLink, Product, TaxRate
from catalogue.operations import save_record
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, PaymentsiteError
from kernel.restapi.exportcolumns import FORMULA_STARTS, HARMLESS_PREFIX

ISO_DATE = "%Y-%m-%d"
YES, NO = ("1", "true", "yes"), ("0", "false", "no")
LINKED_GL = ("service_fee_gl", "disbursement_gl", "statutory_gst_gl", "service_gst_gl")


class SafeCSV(CSV):
    """CSV in which no cell is a formula; such a cell is marked as text on the way out, and as it was on the way in."""

    def export_data(self, dataset: Dataset, **kwargs: Any) -> Any:
        safe = Dataset(*([harmless(cell) for cell in row] for row in dataset), headers=dataset.headers)
        return super().export_data(safe, **kwargs)

    def create_dataset(self, in_stream: Any, **kwargs: Any) -> Dataset:
        read = super().create_dataset(in_stream, **kwargs)
        headers = [header.strip() for header in read.headers or ()]
        return Dataset(*([_as_it_was(cell) for cell in row] for row in read), headers=headers)


FORMATS = [SafeCSV, JSON]


def harmless(cell: Any) -> Any:
    """The cell for a spreadsheet: text that it would take for a formula begins with a quote.

    So does text that looks as if it had been marked before, or it would come in again without its own quote.
    """
    return HARMLESS_PREFIX + cell if isinstance(cell, str) and _needs_mark(cell) else cell


def _as_it_was(cell: Any) -> Any:
    is_marked = isinstance(cell, str) and cell.startswith(HARMLESS_PREFIX) and _needs_mark(cell[1:])
    return cell[1:] if is_marked else cell


def _needs_mark(cell: str) -> bool:
    return cell.lstrip(HARMLESS_PREFIX).startswith(tuple(FORMULA_STARTS))


class PlainBoolean(BooleanWidget):
    """true or false; what is neither is refused, and never taken for false."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> bool:
        text = str(value).strip().lower()
        if text in YES or text in NO:
            return text in YES
        raise ValueError(f"{value!r} should be true or false.")

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "true" if value else "false"


class PlainDate(DateWidget):
    """2026-04-01 and nothing else: 01/04/2026 is another day to other readers."""

    def __init__(self) -> None:
        super().__init__(format=ISO_DATE)

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> date | None:
        if value in (None, ""):
            return None
        try:
            return datetime.strptime(str(value).strip(), ISO_DATE).date()  # noqa: DTZ007 - a business date has no zone
        except ValueError:
            raise ValueError(f"{value!r} should be a date such as 2026-04-01.") from None


class PlainDecimal(DecimalWidget):
    """Digits with at most one decimal point."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Decimal | None:
        if value in (None, ""):
            return None
        try:
            return Decimal(str(value).strip())
        except InvalidOperation:
            raise ValueError(f"{value!r} should be a number such as 125.50.") from None


class Named(ForeignKeyWidget):
    """Another record by its code or name."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        kind = self.model._meta.verbose_name
        try:
            return super().clean(value, row, **kwargs)
        except self.model.DoesNotExist:
            raise ValueError(f"There is no {kind} {value!r}.") from None
        except self.model.MultipleObjectsReturned:
            raise ValueError(f"There are several of {kind} {value!r}: give them names of their own.") from None


class NamedSchedule(ForeignKeyWidget):
    """A price by product, filing type and first day: CP/OTANN/2026-04-01."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> FeeSchedule:
        try:
            product, filing_type, starts_on = str(value).split("/")
            return FeeSchedule.objects.get(
                product=product, filing_type=filing_type, starts_on=date.fromisoformat(starts_on)
            )
        except (ValueError, FeeSchedule.DoesNotExist):
            raise ValueError(f"There is no fee schedule {value!r}; write it as CP/OTANN/2026-04-01.") from None

    def render(self, value: FeeSchedule | None, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else f"{value.product_id}/{value.filing_type_id}/{value.starts_on}"


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imports a file, when and why; all of it shares `change_set`. `seen` is the `digest_of` of its preview."""

    actor: Actor
    at: datetime
    reason: str
    seen: str = ""
    change_set: UUID = field(default_factory=uuid4)

    @property
    def trail(self) -> dict[str, Any]:
        return {"actor": self.actor, "at": self.at, "reason": self.reason, "change_set": self.change_set}


class PreviewOutdated(Conflict):
    """The file would change other rows, or from other values, than its preview showed."""

    code = "catalogue-preview-outdated"
    title = "Preview outdated"
    next_step = "Upload the file again, and look at the new preview."


class CatalogueResource(ModelResource):
    """One table: every row goes through `save_record`, every problem is the row's own, and all or nothing is saved."""

    WIDGETS_MAP = ModelResource.WIDGETS_MAP | {
        "BooleanField": PlainBoolean,
        "DateField": PlainDate,
        "DecimalField": PlainDecimal,
    }

    class Meta:
        skip_unchanged = True
        report_skipped = True
        use_transactions = True

    def __init__(self, *, importer: Importer | None = None, only_new: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._importer = importer
        self._only_new = only_new

    @property
    def importer(self) -> Importer:
        if self._importer is None:
            raise ValueError("Say who imports: what is saved is audited.")
        return self._importer

    @classmethod
    def get_fk_widget(cls, to_other: Any) -> Any:
        return partial(Named, model=to_other.remote_field.model)

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        try:
            return super().get_instance(instance_loader, row)
        except ValueError:
            # What the record is found by is read first, and by itself does not say which column is meant.
            for name in self.get_import_id_fields():
                _require_readable(self.fields[name], row)
            raise

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        is_known = self._only_new and not instance._state.adding
        return is_known or super().skip_row(instance, original, row, import_validation_errors)

    def save_instance(self, instance: Any, is_create: bool, row: Any, **kwargs: Any) -> None:
        # The heading is the file's first line.
        source = {"file": kwargs.get("file_name"), "line": kwargs["row_number"] + 1}
        try:
            save_record(instance, source=source, **self.importer.trail)
        except PaymentsiteError as refusal:
            raise _as_row_problem(refusal, self.fields) from None

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        # Not ModelResource's own, which sets sequences that no import of ours can have moved.
        if kwargs.get("dry_run") or result.has_errors() or result.has_validation_errors():
            return
        if self.importer.seen and self.importer.seen != digest_of(result):
            raise PreviewOutdated
        record_entry(
            action="catalogue.imported",
            subject=(self._meta.model._meta.label_lower, f"import {self.importer.change_set}"),
            after={
                "file": kwargs.get("file_name"),
                "rows": result.total_rows,
                "new": result.totals[RowResult.IMPORT_TYPE_NEW],
                "changed": result.totals[RowResult.IMPORT_TYPE_UPDATE],
                "unchanged": result.totals[RowResult.IMPORT_TYPE_SKIP],
            },
            **self.importer.trail,
        )


def digest_of(result: Any) -> str:
    """What an import does, row by row with the values before and after, as one short text."""
    rows = [[row.import_type, [str(cell) for cell in row.diff or ()]] for row in result.rows]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _require_readable(cell: Field, row: Any) -> None:
    try:
        cell.clean(row)
    except ValueError as unreadable:
        raise ValidationError({cell.column_name: str(unreadable)}) from None


def problems_of(result: Any) -> list[tuple[int, str]]:
    """What is wrong with a file, as (line, “column: sentence”), without a column where a whole row does not fit.

    The heading is line 1, and also stands for the whole file.
    """
    return [
        *((1, str(error.error)) for error in result.base_errors),
        *((row + 1, str(error.error)) for row, errors in result.row_errors() for error in errors),
        *((row.number + 1, _by_column(row.error)) for row in result.invalid_rows),
    ]


def _by_column(invalid: ValidationError) -> str:
    if not hasattr(invalid, "error_dict"):
        return " ".join(invalid.messages)
    return " ".join(
        " ".join(messages) if column == NON_FIELD_ERRORS else f"{column}: {' '.join(messages)}"
        for column, messages in invalid.message_dict.items()
    )


def _as_row_problem(refusal: PaymentsiteError, known: Iterable[str]) -> ValidationError:
    """The refusal as django-import-export shows it beside the row: by column where there is one."""
    by_field: dict[str, list[str]] = {}
    for error in refusal.errors:
        by_field.setdefault(error.field if error.field in known else NON_FIELD_ERRORS, []).append(error.message)
    return ValidationError(by_field or [refusal.detail])


class ProductResource(CatalogueResource):
    class Meta(CatalogueResource.Meta):
        model = Product
        import_id_fields = ("code",)


class FilingTypeResource(CatalogueResource):
    class Meta(CatalogueResource.Meta):
        model = FilingType
        import_id_fields = ("code",)


class FeeCodeResource(CatalogueResource):
    class Meta(CatalogueResource.Meta):
        model = FeeCode
        import_id_fields = ("code",)


class FeeScheduleResource(CatalogueResource):
    class Meta(CatalogueResource.Meta):
        model = FeeSchedule
        exclude = ("id",)
        import_id_fields = ("product", "filing_type", "starts_on")
        import_order = ("product", "filing_type", "starts_on")
        export_order = ("product", "filing_type", "starts_on", "ends_on", "fee_code")


class GLCodeResource(CatalogueResource):
    """Codes that others are booked with stand before those that name them, or the file could not be read again."""

    service_fee_gl, disbursement_gl, statutory_gst_gl, service_gst_gl = (
        Field(column_name=name, attribute=name, widget=Named(GLCode, "name")) for name in LINKED_GL
    )

    class Meta(CatalogueResource.Meta):
        model = GLCode
        exclude = ("id",)
        import_id_fields = ("name",)
        import_order = ("name",)
        export_order = ("name", "client", "responsibility_centre", "service_line", "stob", "project_code")

    def filter_export(self, queryset: Any, **kwargs: Any) -> Any:
        names_others = Case(When(Q(**dict.fromkeys(LINKED_GL)), then=0), default=1)
        return queryset.with_linked().order_by(names_others, "name")


class GLLinkResource(CatalogueResource):
    fee_schedule = Field(column_name="fee_schedule", attribute="fee_schedule", widget=NamedSchedule(FeeSchedule))
    gl_code = Field(column_name="gl_code", attribute="gl_code", widget=Named(GLCode, "name"))

    class Meta(CatalogueResource.Meta):
        model = GLLink
        exclude = ("id",)
        import_id_fields = ("fee_schedule", "starts_on")
        import_order = ("fee_schedule", "starts_on")
        export_order = ("fee_schedule", "gl_code", "starts_on", "ends_on")

    def filter_export(self, queryset: Any, **kwargs: Any) -> Any:
        return queryset.select_related("fee_schedule", "gl_code")


class TaxRateResource(CatalogueResource):
    class Meta(CatalogueResource.Meta):
        model = TaxRate
        exclude = ("id",)
        import_id_fields = ("tax_type", "starts_on")
        export_order = ("tax_type", "rate", "starts_on", "ends_on")


# In the order in which they can be read: each names those before it.
RESOURCES: tuple[type[CatalogueResource], ...] = (
    FeeCodeResource,
    FilingTypeResource,
    ProductResource,
    GLCodeResource,
    FeeScheduleResource,
    GLLinkResource,
    TaxRateResource,
)
