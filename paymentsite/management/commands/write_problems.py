"""Writes docs/problems.md from the error classes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from paymentsite.problems import load_every_module, problems_page


class Command(BaseCommand):
    help = "Writes docs/problems.md: every problem code, its meaning and the next step."

    def handle(self, *args: Any, **options: Any) -> None:
        load_every_module()
        path = settings.BASE_DIR / "docs" / "problems.md"
        path.write_text(problems_page())
        self.stdout.write(f"Wrote {path.relative_to(settings.BASE_DIR)}.")
