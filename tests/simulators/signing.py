"""The hashes of the simulated systems, written from their description and not from the product's code."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, quote

PAY = ("version", "reference", "transaction", "amount", "currency", "description", "revenue", "return_url")


def mac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def joined(pairs: list[tuple[str, str]]) -> str:
    return "&".join(name + "=" + quote(value, safe="") for name, value in pairs)


def order_from(query: str, secret: str) -> dict[str, str]:
    """The parameters of a payment link. Raises ValueError when it is not genuine."""
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    values = dict(pairs)
    if len(pairs) != len(values) or set(values) != {*PAY, "hash"}:
        raise ValueError("the link has other parameters than it should")
    message = "pay\n" + joined([(name, values[name]) for name in PAY])
    if not hmac.compare_digest(mac(secret, message.encode()), values.pop("hash")):
        raise ValueError("the hash of the link is wrong")
    return values


def return_query(pairs: list[tuple[str, str]], secret: str, *, is_right: bool = True) -> str:
    """The query of a return; with another hash where it is meant to be wrong."""
    signed = joined(pairs)
    digest = mac(secret if is_right else secret + "?", ("return\n" + signed).encode())
    return f"{signed}&hash={digest}"


def answer_mac(secret: str, method: str, target: str, status: int, body: bytes) -> str:
    return mac(secret, f"{method}\n{target}\n{status}\n".encode() + body)
