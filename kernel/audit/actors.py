"""Who acts: a member of staff, an API client, a command on the command line, or the system by itself."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class ActorKind(StrEnum):
    # A person signed in to the console.
    STAFF = "staff"
    # A partner's system with an API key.
    API_CLIENT = "api_client"
    # The system on its own account: a schedule, a sweep, a retry.
    SYSTEM = "system"
    # A person (or their script) at the command line.
    COMMAND = "command"


class _User(Protocol):
    @property
    def pk(self) -> int | None: ...

    def get_username(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `name` is kept as text in every entry, so that it outlives the user; `user_id` is staff's only."""

    kind: ActorKind
    name: str
    user_id: int | None = None

    @classmethod
    def staff(cls, user: _User) -> Actor:
        """The signed-in user of a request: `Actor.staff(request.user)`. An anonymous user is a defect of the caller."""
        if user.pk is None:
            raise ValueError("An actor of kind staff needs a user who is signed in.")
        return cls(ActorKind.STAFF, user.get_username(), user.pk)

    @classmethod
    def api_client(cls, slug: str) -> Actor:
        return cls(ActorKind.API_CLIENT, slug)

    @classmethod
    def system(cls, name: str) -> Actor:
        """`name` says which part of the system: `staging schedule`, `outbox relay`."""
        return cls(ActorKind.SYSTEM, name)

    @classmethod
    def command(cls, name: str) -> Actor:
        """`name` is the command's; the operating system's user who ran it is kept with it."""
        return cls(ActorKind.COMMAND, f"{name} ({_system_user()})")

    def __str__(self) -> str:
        return self.name


def _system_user() -> str:
    # A container may run under a number that no account has.
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
