"""How root runs PostgreSQL, which refuses to run as root: in a user namespace, else as a uid that nobody uses."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from paymentsite.stack.children import libc

CLONE_NEWUSER = 0x10000000
PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
REFUSED = 97
# A number far from what distributions give to people and to services.
SPARE_UID = 54321


@dataclass(frozen=True)
class Identity:
    """Who PostgreSQL's files belong to (as seen from here), and what a child runs to become that user."""

    owner: int
    become: Callable[[], None] | None


def identity_for_postgres() -> Identity:
    """The identity under which PostgreSQL can run on this machine, for the user who asks."""
    if os.geteuid() != 0:
        return Identity(owner=os.geteuid(), become=None)
    if _accepts_user_namespaces():
        return Identity(owner=0, become=enter_user_namespace)
    return Identity(owner=SPARE_UID, become=become_spare_user)


def enter_user_namespace() -> None:
    """Root becomes uid 1000 in its own eyes, while every file stays root's: no user is made, no mode is changed."""
    if libc.unshare(CLONE_NEWUSER) != 0:
        os._exit(REFUSED)
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text("1000 0 1")
        Path("/proc/self/gid_map").write_text("1000 0 1")
    except OSError:
        os._exit(REFUSED)


def become_spare_user() -> None:
    """Another uid that keeps one right of root's: to pass folders of mode 0700, such as root's own home.

    The file access is what the user-namespace way has as well; everything else of root's rights is given up.
    """
    if libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0:
        os._exit(REFUSED)
    try:
        os.setgroups([])
        os.setresgid(SPARE_UID, SPARE_UID, SPARE_UID)
        os.setresuid(SPARE_UID, SPARE_UID, SPARE_UID)
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


def _accepts_user_namespaces() -> bool:
    probe = subprocess.run(["/bin/sh", "-c", ":"], preexec_fn=enter_user_namespace, check=False)
    return probe.returncode == 0
