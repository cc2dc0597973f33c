"""API clients: outside systems that call us, and the keys that they prove themselves with."""

from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.querysets import ApiClientQuerySet, ApiKeyQuerySet


class ApiClient(models.Model):
    """A system that calls the API. Switched off at once by `active`; never deleted, because the audit names it."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=60, unique=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    contact_note = models.TextField(blank=True, default="")
    # Whose invoices it may see and make, and for which products.
    all_accounts = models.BooleanField(default=False, db_default=False)
    accounts = models.ManyToManyField(
        "accounts.PaymentAccount", blank=True, related_name="api_clients", db_table="api_client_account"
    )
    all_products = models.BooleanField(default=True, db_default=True)
    products = models.ManyToManyField(
        "catalogue.Product", blank=True, related_name="api_clients", db_table="api_client_product"
    )

    objects = ApiClientQuerySet.as_manager()

    class Meta:
        db_table = "api_client"
        verbose_name = "API client"
        default_permissions = ("view", "add", "change")

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """One key of a client. Of the secret only the digest is here."""

    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="keys")
    prefix = models.CharField(max_length=8, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=60))
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # Written at most once a minute.
    last_used_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="replaces")

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        db_table = "api_key"
        verbose_name = "API key"
        default_permissions = ("view",)
        permissions = [
            ("issue_key", "Can issue an API key"),
            ("rotate_key", "Can rotate an API key"),
            ("revoke_key", "Can revoke an API key"),
        ]
        constraints = [
            models.CheckConstraint(name="api_key_has_scopes", condition=models.Q(scopes__len__gt=0)),
            models.CheckConstraint(
                name="api_key_expires_after_creation",
                condition=models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=models.F("created_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"ps_{self.prefix}_… of {self.client}"

    @property
    def is_final(self) -> bool:
        """Whether it is refused for ever, so that there is nothing left to rotate or revoke."""
        return self.revoked_at is not None

    def state(self, at: datetime) -> str:
        """`live`, `replaced` (lives until it expires), `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= at:
            return "expired"
        return "replaced" if self.replaced_by_id is not None else "live"
