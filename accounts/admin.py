"""The pages of API clients and their keys."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from unfold.decorators import display

from accounts import operations
from accounts.forms import ClientForm, KeyForm, RotationForm
from accounts.models import ApiClient, ApiKey
from accounts.operations import IssuedKey
from kernel.adminsite import Confirmation, ReadOnlyAdmin, confirmed_action

KEY_STATES = {"live": "success", "replaced": "warning", "expired": "danger", "revoked": "danger"}


@admin.register(ApiClient)
class ApiClientAdmin(ReadOnlyAdmin):
    list_display = ["name", "slug", "active", "created_at"]
    list_filter = ["active"]
    search_fields = ["name", "slug"]
    actions_list = ["add_client"]
    actions_detail = ["issue_key", "switch_on", "switch_off"]

    @confirmed_action(
        description="Add a client",
        permission="accounts.add_apiclient",
        form=ClientForm,
        effect="A new API client is added. It can call nothing until a key is issued.",
    )
    def add_client(self, request: HttpRequest, record: None, confirmation: Confirmation) -> str:
        client = operations.add_client(
            **confirmation.answers, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        return f"{client} was added."

    @confirmed_action(
        description="Issue a key",
        permission="accounts.issue_key",
        form=KeyForm,
        effect=lambda client: f"A new key for {client} is made. It is shown on the next page, and only there.",
    )
    def issue_key(self, request: HttpRequest, client: ApiClient, confirmation: Confirmation) -> HttpResponse:
        issued = operations.issue_key(
            client.pk,
            **confirmation.answers,
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return show_once(self, request, issued)

    @confirmed_action(
        description="Switch on",
        permission="accounts.change_apiclient",
        effect=lambda client: f"All keys of {client} that are not revoked or expired work again.",
    )
    def switch_on(self, request: HttpRequest, client: ApiClient, confirmation: Confirmation) -> str:
        return self._switch(client, confirmation, active=True)

    @confirmed_action(
        description="Switch off",
        permission="accounts.change_apiclient",
        effect=lambda client: f"Every call of {client} is refused from now on, whatever its key.",
    )
    def switch_off(self, request: HttpRequest, client: ApiClient, confirmation: Confirmation) -> str:
        return self._switch(client, confirmation, active=False)

    def _switch(self, client: ApiClient, confirmation: Confirmation, *, active: bool) -> str:
        operations.switch_client(
            client.pk, active=active, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        return f"{client} is switched {'on' if active else 'off'}."


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["shown_prefix", "client", "shown_scopes", "state", "created_at", "expires_at", "last_used_at"]
    list_select_related = ["client"]
    list_filter = ["client"]
    search_fields = ["prefix", "client__name", "client__slug"]
    exclude = ["secret_sha256"]
    actions_row = ["rotate", "revoke"]
    actions_detail = ["rotate", "revoke"]

    @display(description="key", ordering="prefix")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"ps_{key.prefix}_…"

    @display(description="scopes")
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="state", label=KEY_STATES)
    def state(self, key: ApiKey) -> str:
        return key.state(timezone.now())

    @confirmed_action(
        description="Rotate",
        permission="accounts.rotate_key",
        form=RotationForm,
        effect=lambda key: (
            f"A new key with the same scopes takes the place of {key}, which stays valid for the hours given below."
            " The new key is shown on the next page, and only there."
        ),
    )
    def rotate(self, request: HttpRequest, key: ApiKey, confirmation: Confirmation) -> HttpResponse:
        issued = operations.rotate_key(
            key.pk,
            overlap=confirmation.answers["overlap_hours"],
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return show_once(self, request, issued)

    @confirmed_action(
        description="Revoke",
        permission="accounts.revoke_key",
        effect=lambda key: f"{key} is refused within five seconds, for ever.",
    )
    def revoke(self, request: HttpRequest, key: ApiKey, confirmation: Confirmation) -> str:
        operations.revoke_key(key.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"{key} is revoked."


def show_once(model_admin: ReadOnlyAdmin, request: HttpRequest, issued: IssuedKey) -> HttpResponse:
    """The answer that shows a new key. It is in this answer alone: in no session, no message, no cache."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "The new key",
        "opts": model_admin.opts,
        "key": issued.key,
        "text": issued.text.reveal(),
    }
    response = TemplateResponse(request, "admin/paymentsite/key_shown_once.html", context).render()
    add_never_cache_headers(response)
    return response
