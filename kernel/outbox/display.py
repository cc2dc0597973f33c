"""Events as an operator reads them."""

from __future__ import annotations

from typing import Any

from kernel import exactjson

KEY_LETTERS_SHOWN = 4
INDENT = "  "


def masked_key(key: str) -> str:
    """The last four characters: the key is an account number."""
    return f"••••{key[-KEY_LETTERS_SHOWN:]}" if len(key) > KEY_LETTERS_SHOWN else "••••"


def indented(body: str) -> str:
    """The JSON text with line breaks, numbers digit for digit and fields in their order; other text as it is."""
    try:
        return _lines(exactjson.loads(body), "")
    except exactjson.JsonInvalid:
        return body


def _lines(value: Any, margin: str) -> str:
    deeper = margin + INDENT
    if isinstance(value, dict) and value:
        members = (f"{deeper}{exactjson.dumps(name)}: {_lines(member, deeper)}" for name, member in value.items())
        return "{\n" + ",\n".join(members) + f"\n{margin}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(deeper + _lines(member, deeper) for member in value) + f"\n{margin}]"
    return exactjson.dumps(value)
