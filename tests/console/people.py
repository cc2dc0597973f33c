"""People of each role, signed in, for tests of the console."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client

from paymentsite.roles import sync_roles

admin.autodiscover()


def signed_in(role: str | None) -> Client:
    """A browser in which a member of staff with this role (None: with no role) is signed in."""
    sync_roles()
    user = User.objects.create_user(f"pat-{role}", password="a-password", is_staff=True)
    if role is not None:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client
