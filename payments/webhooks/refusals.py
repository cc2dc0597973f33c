"""Why a request is turned away before its content counts. Signatures and contents have their refusals elsewhere."""

from __future__ import annotations

from kernel.errors import Forbidden, NotFound, Refused, Unavailable


class MethodNotAllowed(Refused):
    """A webhook answers POST only."""

    status = 405
    code = "method-not-allowed"
    title = "Method not allowed"
    next_step = "Send the notice with POST."


class BodyTooLarge(Refused):
    """The body is larger than a notice may be."""

    status = 413
    code = "body-too-large"
    title = "Body too large"
    next_step = "Send one payment per request, and leave attachments out."


class BodyUnreadable(Refused):
    """The body did not arrive whole."""

    status = 400
    code = "body-unreadable"
    title = "Body unreadable"
    next_step = "Send the whole body, with its length in Content-Length or in chunks."


class ChannelUnknown(NotFound):
    """There is no active channel under this address."""

    code = "channel-unknown"
    title = "Channel unknown"
    next_step = "Check the last part of the address; ask us whether the channel is switched on."


class ChannelUnusable(Unavailable):
    """The channel is switched on, but its settings on our side cannot be used."""

    code = "channel-unusable"
    title = "Channel cannot be used now"
    next_step = "Keep the notice and repeat it later; our staff has an error in the log."


class AddressNotAllowed(Forbidden):
    """This channel takes requests from listed addresses only, and yours is not among them."""

    code = "address-not-allowed"
    title = "Address not allowed"
    next_step = "Send from an address that is agreed for the channel, or ask us to add yours."


class ContentTypeUnsupported(Refused):
    """The body must be JSON, in UTF-8 and not compressed."""

    status = 415
    code = "content-type-unsupported"
    title = "Content type not supported"
    next_step = "Send Content-Type: application/json, and no Content-Encoding."
