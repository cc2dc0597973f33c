"""Typed readers of the environment. A wrong value stops the start with the variable's name and what it should be."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo, available_timezones, reset_tzpath

# Every machine computes with the pinned tzdata package, not with whatever age of rules its system has: zones change
# their law (Vancouver stays on UTC-7 from 2026), and two processes that disagree would put a payment on two days.
reset_tzpath(to=())

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


class SettingInvalid(SystemExit):
    """A variable holds a value that cannot be used; the process ends with one line that says which and why."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        shown = "a value that is not shown" if _is_secret(name) else repr(value)
        super().__init__(f"{name} is {shown}: it should be {expected}.")
        self.name = name


class Environment:
    """Reads variables from a mapping (the process environment by default); an empty value counts as unset."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def has(self, name: str) -> bool:
        return bool(self._variables.get(name, "").strip())

    def text(self, name: str, default: str) -> str:
        return self._raw(name) or default

    def optional_text(self, name: str) -> str | None:
        return self._raw(name)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = (self._raw(name) or default).lower()
        if value not in choices:
            raise SettingInvalid(name, value, "one of " + ", ".join(choices))
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self._raw(name)
        if value is None:
            return default
        if value.lower() in TRUE_WORDS:
            return True
        if value.lower() in FALSE_WORDS:
            return False
        raise SettingInvalid(name, value, "true or false")

    def integer(self, name: str, default: int, *, minimum: int = 0, maximum: int = 2**31 - 1) -> int:
        value = self._raw(name)
        if value is None:
            return default
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", value) or not minimum <= int(value) <= maximum:
            raise SettingInvalid(name, value, f"a whole number from {minimum} to {maximum}")
        return int(value)

    def time_zone(self, name: str, default: str) -> ZoneInfo:
        value = self._raw(name) or default
        if value not in available_timezones():
            raise SettingInvalid(name, value, "the name of a time zone, such as America/Vancouver or UTC")
        return ZoneInfo(value)

    def currency(self, name: str, default: str) -> str:
        value = self._raw(name) or default
        if not re.fullmatch(r"[A-Z]{3}", value):
            raise SettingInvalid(name, value, "an ISO 4217 code in capitals, such as CAD")
        return value

    def encryption_keys(self, name: str) -> list[str] | None:
        """A comma-separated list of Fernet keys, newest first; None when the variable is not set."""
        value = self._raw(name)
        if value is None:
            return None
        keys = [part.strip() for part in value.split(",")]
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{43}=", key) for key in keys):
            raise SettingInvalid(name, value, "32 bytes as URL-safe base64, or several such keys with commas between")
        return keys

    def table_name(self, name: str, default: str) -> tuple[str | None, str]:
        """`table` or `schema.table`; gives (schema or None, table)."""
        value = self._raw(name) or default
        if not re.fullmatch(r"([a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,62}", value):
            raise SettingInvalid(name, value, "table or schema.table, in lower-case letters, digits and underscores")
        schema, _, table = value.rpartition(".")
        return schema or None, table

    def addresses(self, name: str) -> str | None:
        """A comma-separated list of host:port; None when the variable is not set."""
        value = self._raw(name)
        if value is None:
            return None
        parts = [part.strip() for part in value.split(",")]
        if not all(re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}", part) for part in parts):
            raise SettingInvalid(name, value, "host:port, or several of them with commas between")
        return ",".join(parts)

    def folder(self, name: str, default: Path) -> Path:
        value = self._raw(name)
        return Path(value).expanduser().resolve() if value else default

    def web_address(self, name: str, *, https_only: bool) -> str | None:
        """An http or https address without a `/` at its end; None when the variable is not set."""
        value = self._raw(name)
        if value is None:
            return None
        schemes = ("https",) if https_only else ("https", "http")
        expected = f"an address such as {schemes[-1]}://host/path, with no user, query or fragment"
        try:
            url = urlsplit(value)
            is_usable = url.scheme in schemes and bool(url.hostname) and url.port != 0
        except ValueError:
            raise SettingInvalid(name, value, expected) from None
        if not is_usable or url.username or url.password or url.query or url.fragment:
            raise SettingInvalid(name, value, expected)
        return value.rstrip("/")

    def database_url(self, name: str) -> dict[str, object] | None:
        """A postgresql:// URL as Django's connection settings; None when the variable is not set."""
        value = self._raw(name)
        if value is None:
            return None
        expected = "postgresql://user:password@host:port/database"
        try:
            url = urlsplit(value)
            port = url.port
        except ValueError:
            raise SettingInvalid(name, value, expected) from None
        database = unquote(url.path.lstrip("/"))
        if url.scheme not in ("postgres", "postgresql") or not database:
            raise SettingInvalid(name, value, expected)
        options = dict(parse_qsl(url.query))
        return {
            "NAME": database,
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": options.pop("host", unquote(url.hostname or "")),
            "PORT": str(port or ""),
            "OPTIONS": options,
        }

    def _raw(self, name: str) -> str | None:
        value = self._variables.get(name, "").strip()
        return value or None


def _is_secret(name: str) -> bool:
    return any(word in name for word in ("SECRET", "PASSWORD", "KEY", "_URL"))
