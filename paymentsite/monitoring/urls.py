"""Addresses of health and metrics. None ends in a slash, as orchestrators and Prometheus expect them."""

from __future__ import annotations

from django.urls import URLPattern, path

from paymentsite.monitoring import views

urlpatterns: list[URLPattern] = [
    path("health", views.health, name="health"),
    path("health/live", views.live, name="health-live"),
    path("health/ready", views.ready, name="health-ready"),
    path("health/startup", views.startup, name="health-startup"),
    path("metrics", views.metrics, name="metrics"),
]
