"""What can become of a call to an outside system: done, refused, certainly nothing happened, or nobody knows yet.

A writing call returns, or raises GatewayRefused (they said no), GatewayDown (they have done nothing) or OutcomeUnknown
(it was sent and no usable answer came). A reading call returns or raises GatewayDown.
"""

from __future__ import annotations

from typing import Any

from kernel.errors import Refused, Unavailable


class GatewayRefused(Refused):
    """The outside system refused the request and has done nothing."""

    code = "gateway-refused"
    title = "Refused by the outside system"
    next_step = "Read its reason; correct what it names, or let staff look."

    def __init__(self, detail: str = "", *, fault: str = "", **context: Any) -> None:
        super().__init__(detail, **context)
        # The outside system's own code, for the record.
        self.fault = fault


class GatewayDown(Unavailable):
    """The outside system cannot be used now, and it has certainly done nothing."""

    code = "gateway-down"
    title = "Outside system away"
    next_step = "Repeat the same request after the time in Retry-After."


class GatewayNotConfigured(GatewayDown):
    """Nobody has set where the outside system is."""

    code = "gateway-not-configured"
    title = "Outside system not set up"
    next_step = "Set the variables that the message names (docs/settings.md) and restart."


class GatewayKeyRefused(GatewayDown):
    """The outside system does not accept our key."""

    code = "gateway-key-refused"
    title = "Our key was refused"
    next_step = "Compare the API key of this gateway in the settings with the one that the outside system gave out."


class AnswerUnusable(GatewayDown):
    """The outside system answered a question with something that cannot be used."""

    code = "gateway-answer-unusable"
    title = "Answer unusable"


class OutcomeUnknown(Unavailable):
    """The request was sent and no usable answer came: it may have been carried out or not."""

    code = "outcome-unknown"
    title = "Outcome unknown"
    next_step = "Look up the same reference before anything else; repeat only with the same key."


class KeyUsedOtherwise(OutcomeUnknown):
    """The outside system knows this key with other content, which it may have carried out."""

    code = "gateway-key-used-otherwise"
    title = "Key already used with other content"
    next_step = "Look up what is recorded there under this key and compare it with ours."


class StillRunning(OutcomeUnknown):
    """The outside system is still working on an earlier request with the same key."""

    code = "gateway-still-running"
    title = "Earlier request still running"
