"""The pages that take a table in and give it out: preview, then all or nothing, with the reason in the audit."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from import_export.admin import ImportExportMixin as PackagePages
from import_export.tmp_storages import BaseStorage
from unfold.contrib.import_export.forms import ExportForm

from catalogue.exchange import FORMATS, Importer, digest_of, problems_of
from catalogue.forms import CatalogueConfirmForm, CatalogueImportForm
from catalogue.operations.uploads import drop_upload, keep_upload, read_upload
from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError

IMPORT_PERMISSION = "catalogue.import_catalogue"
PROBLEMS_SHOWN = 5


class DatabaseStorage(BaseStorage):
    """Where an uploaded file waits for its confirmation: the package's own is a folder that other hosts do not see."""

    def save(self, data: bytes) -> None:
        self.name = str(keep_upload(data, at=timezone.now()))

    def read(self) -> bytes:
        return read_upload(self.name)

    def remove(self) -> None:
        drop_upload(self.name)


class ExchangePages(PackagePages):
    """Import for those who may, export for all who may look."""

    import_form_class = CatalogueImportForm
    confirm_form_class = CatalogueConfirmForm
    export_form_class = ExportForm
    tmp_storage_class = DatabaseStorage
    formats: ClassVar = FORMATS
    # The audit has more than Django's log would.
    skip_admin_log = True

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(IMPORT_PERMISSION)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def import_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().import_action(request, *args, **kwargs)
        shown = getattr(response, "context_data", None) or {}
        if "confirm_form" in shown:
            # What is confirmed is what was shown: anything else is refused.
            shown["confirm_form"].initial["seen"] = digest_of(shown["result"])
        return response

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial = super().get_confirm_form_initial(request, import_form)
        return initial if import_form is None else initial | {"reason": import_form.cleaned_data["reason"]}

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.get("form")
        given = form.cleaned_data if form is not None and form.is_bound and form.is_valid() else {}
        reason, seen = given.get("reason", ""), given.get("seen", "")
        return {"importer": Importer(Actor.staff(request.user), timezone.now(), reason, seen)}

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        return {"use_transactions": True, "rollback_on_validation_errors": True}

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {}

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return super().process_import(request, **kwargs)
        except PaymentsiteError as refusal:
            messages.error(request, f"{refusal.detail} Nothing was imported.")
            return HttpResponseRedirect(self._import_address())

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponse:
        problems = [f"Line {line}: {message}" for line, message in problems_of(result)]
        if not problems:
            return super().process_result(result, request)
        shown = " ".join(problems[:PROBLEMS_SHOWN])
        messages.error(request, f"Nothing was imported: the catalogue has changed since the preview. {shown}")
        return HttpResponseRedirect(self._import_address())

    def add_success_message(self, result: Any, request: HttpRequest) -> None:
        counts = result.totals
        messages.success(
            request,
            f"The file is imported: {counts['new']} new, {counts['update']} changed, {counts['skip']} as they were.",
        )

    def _import_address(self) -> str:
        app, model = self.get_model_info()
        return reverse(f"admin:{app}_{model}_import")
