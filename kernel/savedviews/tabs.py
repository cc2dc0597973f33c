"""Saved views as tabs above a list, and the way to save what the list shows now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from kernel.adminsite import ConsoleChangeList, list_address
from kernel.savedviews.addresses import kept_query
from kernel.savedviews.models import SavedView

# For the `list_before_template` of a list with tabs.
TEMPLATE = "admin/paymentsite/saved_views.html"
VIEW = "savedviews.view_savedview"
TABS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab; `note` is what it is for and whose it is."""

    words: str
    address: str
    is_chosen: bool
    note: str = ""


class SavedViewsChangeList(ConsoleChangeList):
    """A list with tabs: everything, what comes with the list, and what people have saved."""

    # Tabs that come with the list: words, query, what for.
    presets: tuple[tuple[str, str, str], ...] = ()

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.request = request
        self.presets = getattr(self.model_admin, "preset_views", ())
        self.now_chosen = kept_query(request.GET.urlencode())

    @cached_property
    def tabs(self) -> list[Tab]:
        place = list_address(self.model)
        found = [Tab("All", place, self.now_chosen == "")]
        found += [self._tab(words, query, note) for words, query, note in self.presets]
        if not self.request.user.has_perm(VIEW):
            return found
        saved = SavedView.objects.seen_by(self.request.user.pk).of_list(self.model._meta.label_lower)
        for view in saved.select_related("owner")[:TABS_SHOWN]:
            whose = "" if view.owner_id == self.request.user.pk else f" (of {view.owner.get_username()})"
            found.append(self._tab(view.name, view.query, f"{view.description}{whose}".strip()))
        return found

    @property
    def save_address(self) -> str:
        """Where what the list shows now is saved; '' when nothing is chosen, or it is a tab already."""
        if not self.now_chosen or not self.request.user.has_perm(VIEW) or any(tab.is_chosen for tab in self.tabs):
            return ""
        asked = urlencode({"list_name": self.model._meta.label_lower, "query": self.now_chosen})
        return f"{reverse('admin:savedviews_savedview_add')}?{asked}"

    @property
    def manage_address(self) -> str:
        if not self.request.user.has_perm(VIEW):
            return ""
        return list_address(SavedView, {"list_name": self.model._meta.label_lower})

    def _tab(self, words: str, query: str, note: str) -> Tab:
        kept = kept_query(query)
        return Tab(words, f"{list_address(self.model)}?{kept}", kept == self.now_chosen, note)
