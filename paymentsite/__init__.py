"""The roof: settings, addresses, the schedule. Every process has the Celery app, so that it can send messages."""

from __future__ import annotations

from paymentsite.celery import app as celery_app

__all__ = ["celery_app"]
