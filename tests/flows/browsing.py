"""A member of staff in a real browser, and what is asked of every page that they open."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from paymentsite.roles import sync_roles

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="No Chromium was found on this machine (chromium on PATH)."),
]
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 400, "height": 800}}
PASSWORD = "a-password"

# Fields without a label, a name of their own or a word in them.
UNNAMED = """
    () => [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, .ps-overview a')]
        .filter(e => e.offsetParent !== null && !(e.labels && e.labels.length))
        .filter(e => !e.getAttribute('aria-label') && !e.placeholder && !e.title && !e.innerText)
        .map(e => e.outerHTML.slice(0, 120))
"""


def staff(name: str, role: str) -> User:
    """A member of staff with one role, who signs in with PASSWORD."""
    sync_roles()
    user: User = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


class Visit:
    """A signed-in page that notes errors of scripts and requests to anybody else."""

    def __init__(self, browser: Any, address: str, *, name: str = "pat", **screen: Any) -> None:
        self.address = address
        self.context = browser.new_context(**screen)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._note)
        # A stylesheet, a picture or a script that is not there.
        self.page.on("response", lambda answer: self.errors.append(answer.url) if answer.status >= 400 else None)
        self.open("/admin/login/?next=/admin/")
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", PASSWORD)
        self.page.press("[name=password]", "Enter")
        self.page.wait_for_url("**/admin/")

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.outside.append(request.url)
