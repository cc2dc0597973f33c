"""Under which user PostgreSQL runs: it refuses root, and initdb refuses a user who has no name on this machine.

The way around both is a user namespace, in which we are somebody else and our files are still ours. Where those are
forbidden, root becomes another user and keeps the right to reach its own folders.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from paymentsite.stack.children import CannotStart, libc

CLONE_NEWUSER = 0x10000000
PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 28, 47, 2
SECBIT_NO_SETUID_FIXUP, SECBIT_KEEP_CAPS = 1 << 2, 1 << 4
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
REFUSED = 97


@dataclass(frozen=True)
class Identity:
    """Who PostgreSQL's files belong to (as seen from here), and what a child runs to become that user."""

    owner: int
    become: Callable[[], None] | None


def identity_for_postgres() -> Identity:
    """The identity under which PostgreSQL can run on this machine, for the user who asks. Raises CannotStart."""
    uid = os.geteuid()
    if uid != 0 and _has_name(uid):
        return Identity(owner=uid, become=None)
    someone = someone_else()
    if _accepts(partial(enter_user_namespace, someone)):
        return Identity(owner=uid, become=partial(enter_user_namespace, someone))
    if uid == 0 and _accepts(partial(become_user, someone)):
        return Identity(owner=someone, become=partial(become_user, someone))
    if uid == 0:
        raise CannotStart("PostgreSQL refuses to run as root, and root may not change its user here: set DATABASE_URL.")
    raise CannotStart(f"User {uid} has no name on this machine, which PostgreSQL's initdb asks for: set DATABASE_URL.")


def someone_else() -> int:
    """The uid of a user who exists, is not root and owns nothing: nobody, else the last one listed."""
    others = {user.pw_name: user.pw_uid for user in pwd.getpwall() if user.pw_uid != 0}
    if not others:
        raise CannotStart("PostgreSQL refuses to run as root, and this machine has no other user: set DATABASE_URL.")
    return others.get("nobody", list(others.values())[-1])


def enter_user_namespace(uid: int) -> None:
    """We are `uid` in our own eyes, while every file stays whose it is: no user is made, no mode is changed."""
    own_uid, own_gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        os._exit(REFUSED)
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {own_uid} 1")
        Path("/proc/self/gid_map").write_text(f"{uid} {own_gid} 1")
    except OSError:
        os._exit(REFUSED)


def become_user(uid: int) -> None:
    """Root becomes `uid` and keeps one right: to pass folders of mode 0700, such as root's own home.

    The file access is what the user-namespace way has as well; everything else of root's rights is given up.
    """
    # Without the second bit access(2), by which PostgreSQL finds its own programs, would forget the kept right.
    bits = SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP
    if libc.prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0 and libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0:
        os._exit(REFUSED)
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError:
        os._exit(REFUSED)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    kept = 1 << CAP_DAC_OVERRIDE
    # Effective, permitted, inheritable; then the same three for capabilities above 31, of which none is kept.
    sets = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
    if libc.capset(header, sets) != 0:
        os._exit(REFUSED)
    if libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0) != 0:
        os._exit(REFUSED)


def give_folder(folder: Path, *, owner: int) -> None:
    """Makes `owner` own everything below the folder. Cheap when it is so already.

    The folder itself comes last, so that a change cut short is seen and done again.
    """
    if not folder.exists() or folder.stat().st_uid == owner:
        return
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in (*folders, *files):
            os.lchown(os.path.join(parent, name), owner, owner)
    os.chown(folder, owner, owner)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _accepts(become: Callable[[], None]) -> bool:
    probe = subprocess.run(["/bin/sh", "-c", ":"], preexec_fn=become, check=False)
    return probe.returncode == 0
