"""How the site looks and what it offers, for django-unfold. Read by the settings, so nothing here touches a model."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static


def stylesheet(request: HttpRequest) -> str:
    return static("console/console.css")


def keyboard(request: HttpRequest) -> str:
    return static("console/keyboard.js")


def icon(request: HttpRequest) -> str:
    return static("console/icon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "paymentsite",
    "SITE_HEADER": "paymentsite",
    "SITE_SUBHEADER": "Finance operations",
    "SITE_URL": None,
    "SITE_ICON": {"light": icon, "dark": icon},
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": icon}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "console.dashboard.overview_context",
    "STYLES": [stylesheet],
    "SCRIPTS": [keyboard],
    "BORDER_RADIUS": "6px",
    # A calm blue: it has enough contrast for text on white (600) and on the dark ground (500).
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#4b8ff0",
            "600": "#2563c9",
            "700": "#1d4fa8",
            "800": "#1e4288",
            "900": "#1e3a6d",
            "950": "#172547",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "console.navigation.navigation",
    },
}
