"""What can be wrong with a request that was refused: one sentence for us, and what its sender must change.

No sentence has room for a secret, a key, a signature or a body: only counts, names of headers and of channels go in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Certainty(StrEnum):
    """Proved: shown by the signature, by a header or by our own settings. Likely: nothing else that we know fits."""

    PROVED = "proved"
    LIKELY = "likely"


@dataclass(frozen=True, slots=True)
class Cause:
    """One way in which a request goes wrong. `text` and `change` may have places for named facts."""

    text: str
    change: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause that was found. `evidence` says what shows it; `change` is meant for the sender's developer."""

    code: str
    text: str
    change: str
    certainty: Certainty
    evidence: str = ""


CAUSES: dict[str, Cause] = {
    "channel-unknown": Cause(
        "There is no channel of this name.",
        "Check the last part of the address: it is the channel's name, in lower-case letters.",
    ),
    "channel-inactive": Cause(
        "The channel is switched off on our side.",
        "Nothing: we have to switch the channel on. Keep the notices and send them again when we say so.",
    ),
    "channel-unusable": Cause(
        "The channel is switched on, but its secret on our side cannot be used.",
        "Nothing: the error is ours. Keep the notices and repeat them later.",
    ),
    "address-not-allowed": Cause(
        "The request came from an address that is not on the channel's list.",
        "Send from an agreed address, or tell us the address from which you send, so that we can add it.",
    ),
    "rate-limited": Cause(
        "More requests came from this address than the channel allows in a minute.",
        "Spread the requests over time, and after 429 wait for as many seconds as Retry-After says.",
    ),
    "body-too-large": Cause(
        "The body has {size:,} bytes; at most {limit:,} are read.",
        "Send one payment per request and leave attachments out.",
    ),
    "content-type-unsupported": Cause(
        "The Content-Type is not application/json in UTF-8.",
        "Send the header Content-Type: application/json.",
    ),
    "content-encoding-unsupported": Cause(
        "The body is compressed, as its Content-Encoding says.",
        "Send the body uncompressed and without a Content-Encoding header.",
    ),
    "header-repeated": Cause(
        "The header {header} was sent more than once; its values arrive as one, with commas between.",
        "Send {header} once. Several signatures stand in one header, with spaces between.",
    ),
    "id-missing": Cause(
        "The header webhook-id did not arrive.",
        "Send webhook-id, and check that no proxy between us removes headers that it does not know.",
    ),
    "id-malformed": Cause(
        "The webhook-id holds something other than 1 to 255 visible ASCII characters.",
        "Use an id of 1 to 255 visible ASCII characters, without blanks.",
    ),
    "id-renamed": Cause(
        "The id came in the header {header}, not in webhook-id.",
        "Send the id in the header webhook-id.",
    ),
    "id-other": Cause(
        "What was signed holds another id than the header webhook-id: the one in the body's {member}.",
        "Sign the very id that you send in webhook-id.",
    ),
    "id-not-signed": Cause(
        "The id was left out of what was signed.",
        "Sign the id, a full stop, the timestamp, a full stop and the body.",
    ),
    "id-reused": Cause(
        "This webhook-id was used before, with another body.",
        "Give every message an id of its own; keep the id only when the very same body is sent again.",
    ),
    "signature-missing": Cause(
        "The header {header} did not arrive.",
        "Send the signature in {header}, and check that no proxy between us removes it.",
    ),
    "signature-malformed": Cause(
        "The header {header} holds nothing that could be a signature of this channel's scheme.",
        "Write the header as {form}.",
    ),
    "signature-renamed": Cause(
        "The signature came in the header {header}, which this channel does not read.",
        "Send the signature in {expected}.",
    ),
    "scheme-other": Cause(
        "The request is signed by the other scheme: {came}, where the channel expects {expected}.",
        "Sign as {expected}, or ask us to change the channel's scheme.",
    ),
    "too-many-signatures": Cause(
        "The header webhook-signature holds more than {limit} signatures.",
        "Send one signature, or two while a secret is being changed.",
    ),
    "timestamp-missing": Cause(
        "The header {header} did not arrive.",
        "Send {header} with the seconds since 1970-01-01 UTC, and check that no proxy between us removes it.",
    ),
    "timestamp-stripped": Cause(
        "A timestamp was signed, but its header {header} did not arrive: the one that fits is {seconds} s {side} "
        "the arrival.",
        "Send {header} with the timestamp that you signed, and check that no proxy between us removes it.",
    ),
    "timestamp-milliseconds": Cause(
        "The timestamp is in milliseconds; it must be in whole seconds.",
        "Divide the time by 1,000 and drop the fraction, in the header and in what you sign.",
    ),
    "timestamp-malformed": Cause(
        "The timestamp is not a whole number of seconds in digits.",
        "Send the seconds since 1970-01-01 UTC in digits only: no date text, no fraction, no sign.",
    ),
    "clock-behind": Cause(
        "The timestamp is {seconds:,} s behind our clock; at most {tolerance:,} s are accepted.",
        "Set the sender's clock by NTP, and sign every attempt anew with the time at which it is sent.",
    ),
    "clock-ahead": Cause(
        "The timestamp is {seconds:,} s ahead of our clock; at most {tolerance:,} s are accepted.",
        "Set the sender's clock by NTP: it runs ahead, or local time was taken for UTC.",
    ),
    "timestamp-not-signed": Cause(
        "The timestamp was left out of what was signed.",
        "Sign the timestamp together with the body, as the description of the scheme shows.",
    ),
    "body-alone-signed": Cause(
        "Only the body was signed, without id and timestamp.",
        "Sign the id, a full stop, the timestamp, a full stop and the body.",
    ),
    "secret-expired": Cause(
        "The request is signed with the secret before the last change, which has expired.",
        "Use the secret that we gave you last.",
    ),
    "secret-of-another-channel": Cause(
        "The request is signed with the secret of another channel, {channel}.",
        "Use the secret that belongs to the address to which you send.",
    ),
    "secret-as-text": Cause(
        "The secret was used as text; its base64 was not decoded.",
        "Take whsec_ off the secret and decode the rest from base64: those bytes are the key.",
    ),
    "secret-with-prefix": Cause(
        "The secret was used as text together with its prefix whsec_.",
        "Take whsec_ off the secret and decode the rest from base64: those bytes are the key.",
    ),
    "secret-decoded": Cause(
        "The secret was decoded from base64; on this channel its text is the key.",
        "Use the whole text of the secret in UTF-8 as the key, with nothing dropped or decoded.",
    ),
    "secret-prefix-dropped": Cause(
        "The prefix whsec_ was dropped from the secret; on this channel its whole text is the key.",
        "Use the whole text of the secret in UTF-8 as the key, with nothing dropped or decoded.",
    ),
    "secret-with-line-break": Cause(
        "The secret was used with a line break or a blank behind it.",
        "Trim the secret after reading it from its file or variable.",
    ),
    "hex-for-base64": Cause(
        "The signature is written in hexadecimal digits; this channel expects base64.",
        "Encode the 32 bytes of the signature as base64, and write v1, in front.",
    ),
    "base64-for-hex": Cause(
        "The signature is written in base64; this channel expects hexadecimal digits.",
        "Write the signature as sha256= and 64 hexadecimal digits.",
    ),
    "base64-of-hex": Cause(
        "The signature's hexadecimal digits were encoded as base64, instead of its bytes.",
        "Take the raw bytes of the HMAC (digest, not hexdigest) before encoding.",
    ),
    "base64-variant": Cause(
        "The signature's base64 is of the variant for addresses (- and _), or its padding is missing.",
        "Use standard base64 with + and /, padded with =.",
    ),
    "prefix-wrong": Cause(
        "The signature's prefix is missing or is another one.",
        "Write the header as {form}.",
    ),
    "blanks-in-header": Cause(
        "The signature header holds quotation marks, blanks or other signs around the signature.",
        "Write the header as {form}, with nothing around it.",
    ),
    "algorithm-other": Cause(
        "The signature was made with {algorithm} in place of HMAC-SHA256.",
        "Use HMAC with SHA-256.",
    ),
    "hash-without-key": Cause(
        "The signature is a plain SHA-256 digest, made without HMAC.",
        "Use HMAC-SHA256 with the secret as its key; a digest alone proves nothing.",
    ),
    "body-reserialised": Cause(
        "Other bytes were signed than arrived: the signature fits the same JSON written {form}.",
        "Build the body once, sign those bytes and send the very same bytes; do not parse and write it again.",
    ),
    "body-line-breaks": Cause(
        "Other bytes were signed than arrived: the signature fits the body with {form}.",
        "Sign the exact bytes that are sent, line breaks included.",
    ),
    "body-encoding": Cause(
        "Other bytes were signed than arrived: the signature fits the body {form}.",
        "Encode the body as UTF-8 without a byte order mark, and sign those bytes.",
    ),
    "body-empty-signed": Cause(
        "The signature fits an empty body: it was made before the body was there.",
        "Read or build the whole body first, then sign it.",
    ),
    "body-altered": Cause(
        "The signature fits the body that was given here, but another body arrived.",
        "Find out what between us changes the body: a proxy, a filter or a library that writes the JSON again.",
    ),
    "signature-unexplained": Cause(
        "The signature fits none of the {tried:,} ways of signing that were tried.",
        "Check that the secret is the one that we gave you last, and compare your code with the worked example in "
        "our description; then send us id, timestamp, signature and the exact body of one refused request.",
    ),
    "content-refused": Cause(
        "The request was signed properly; its content was refused.",
        "Correct what the answer's errors name; the signature is not the matter.",
    ),
    "request-fine": Cause(
        "By what was given here, the request is signed as it should be and would be let in.",
        "Nothing in the signature. If it is still refused, compare the bytes that were sent with those given to us.",
    ),
}


def finding(code: str, certainty: Certainty = Certainty.PROVED, evidence: str = "", **facts: object) -> Finding:
    """The cause of this code with its facts filled in. Raises KeyError for a code that is not listed."""
    cause = CAUSES[code]
    return Finding(code, cause.text.format(**facts), cause.change.format(**facts), certainty, evidence)
