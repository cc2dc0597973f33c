"""The pages of API clients and their keys."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts import operations
from accounts.admin.clientforms import ClientForm, KeyForm, ReachForm, RotationForm, reach_of
from accounts.models import ApiClient, ApiKey
from accounts.operations import IssuedKey, Reach
from kernel.adminsite import (
    Confirmation,
    ReadOnlyAdmin,
    RecordAdmin,
    badge,
    confirmed_action,
    moment_column,
    name_thing,
)

name_thing("api-client", "API client")
name_thing("api-key", "API key")
KEY_STATES = {
    "live": ("Live", "good"),
    "replaced": ("Replaced", "attention"),
    "expired": ("Expired", "bad"),
    "revoked": ("Revoked", "bad"),
}


@admin.register(ApiClient)
class ApiClientAdmin(RecordAdmin):
    list_display = ["name", "slug", "state", "created"]
    fields = ["name", "slug", "state", "accounts_shown", "products_shown", "created", "contact_note"]
    readonly_fields = ["state", "accounts_shown", "products_shown", "created"]
    list_filter = ["active"]
    search_fields = ["name", "slug"]
    intro = (
        "Outside systems that may call the API. Each proves itself with keys, which are issued on its page, reaches "
        "the accounts and products that are set there, and can be switched off at once."
    )
    empty_text = "No outside system may call the API yet. Add a client, then issue a key for it on its page."
    created = moment_column("created_at", "added")
    actions_list = ["add_client"]
    actions_detail = ["issue_key", "set_reach", "switch_on", "switch_off"]
    story_empty = "Keys issued, and changes to this client, will appear here, with who and why."

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions = super().get_actions_detail(request, object_id)
        client = self.get_object(request, str(object_id))
        idle = "" if client is None else "switch_on" if client.active else "switch_off"
        return [action for action in actions if action.method.original_function_name != idle]

    @display(description="state", ordering="active")
    def state(self, client: ApiClient) -> SafeString:
        return badge("Switched on", "good") if client.active else badge("Switched off", "plain")

    @display(description="accounts")
    def accounts_shown(self, client: ApiClient) -> str:
        return _reached(Reach.of(client).accounts)

    @display(description="products")
    def products_shown(self, client: ApiClient) -> str:
        return _reached(Reach.of(client).products)

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
        description="Set what it may reach",
        permission="accounts.change_apiclient",
        form=ReachForm,
        initial=reach_of,
        effect=lambda client: (
            f"Within five seconds {client} sees and charges these accounts and products, and no others: of the rest it "
            "is told that there are none."
        ),
    )
    def set_reach(self, request: HttpRequest, client: ApiClient, confirmation: Confirmation) -> str:
        operations.set_reach(
            client.pk,
            confirmation.answers["reach"],
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return f"{client} may reach what you set."

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
    list_display = ["shown_prefix", "client", "shown_scopes", "state", "created", "expires", "last_used"]
    fields = [
        "shown_prefix",
        "client",
        "shown_scopes",
        "state",
        "created",
        "expires",
        "revoked",
        "last_used",
        "replaced_by",
    ]
    readonly_fields = ["shown_prefix", "shown_scopes", "state", "created", "expires", "revoked", "last_used"]
    list_select_related = ["client"]
    list_filter = ["client"]
    search_fields = ["prefix", "client__name", "client__slug"]
    intro = (
        "The keys of all API clients. The key itself was shown once, when it was issued; here is only how it begins."
    )
    empty_text = "No key yet. Keys are issued on the page of an API client."
    created = moment_column("created_at", "issued")
    expires = moment_column("expires_at", "expires")
    revoked = moment_column("revoked_at", "revoked")
    last_used = moment_column("last_used_at", "last used")
    actions_row = ["rotate", "revoke"]
    actions_detail = ["rotate", "revoke"]

    @display(description="key", ordering="prefix")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"ps_{key.prefix}_…"

    @display(description="scopes")
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="state")
    def state(self, key: ApiKey) -> SafeString:
        return badge(*KEY_STATES[key.state(timezone.now())])

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


def _reached(named: frozenset[str] | None) -> str:
    if named is None:
        return "all"
    return ", ".join(sorted(named)) or "none"


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
