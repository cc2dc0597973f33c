"""Small pages of the site itself."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from paymentsite.problems import problem_kinds


@require_safe
def problems_index(request: HttpRequest) -> HttpResponse:
    """Every code that an answer can have, for the person who writes a program against them."""
    return render(request, "problems/problems.html", {"kinds": list(problem_kinds().values())})


@require_safe
def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """What a problem's `type` leads to: its meaning and the next step, for the person who reads a partner's log."""
    kind = problem_kinds().get(code)
    if kind is None:
        raise Http404
    return render(request, "problems/problem.html", {"kind": kind})
