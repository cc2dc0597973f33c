"""Packages under the names that our sidebar has for them, which the breadcrumb of their pages shows as well."""

from __future__ import annotations

from axes.apps import AppConfig as AxesConfig
from django_celery_beat.apps import BeatConfig


class ScheduleConfig(BeatConfig):
    verbose_name = "Operations"


class LoginGuardConfig(AxesConfig):
    verbose_name = "Logins"
