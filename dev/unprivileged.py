"""What a program that must not run as root needs when root starts it: an account, and a way to its files."""

import os
import stat
import sys
from pathlib import Path
from typing import Any

_NAMES = ("postgres", "pgserver", "nobody")


def account() -> int | None:
    """The user id to run as when we are root; None when we are not, and need no other.

    Raises LookupError where root finds no account to use.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    known = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    chosen = [known[name] for name in _NAMES if name in known]
    if not chosen:
        raise LookupError(f"PostgreSQL does not run as root, and none of these accounts exists: {', '.join(_NAMES)}")
    return chosen[0]


def running_as(user: int | None) -> dict[str, Any]:
    """Arguments for subprocess: run as this account, in its own group alone; none where user is None."""
    if user is None:
        return {}
    import pwd

    return {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}


def give(path: Path, owner: int | None) -> None:
    """Make `owner` the owner of a file or folder; nothing to do where owner is None."""
    if owner is not None:
        os.chown(path, owner, -1)


def let_pass(folder: Path, user: int) -> None:
    """Let `user` pass through `folder` and all above it, without letting it list them."""
    for place in [*reversed(folder.parents), folder]:
        mode = place.stat()
        if mode.st_uid != user and not mode.st_mode & stat.S_IXOTH:
            place.chmod(stat.S_IMODE(mode.st_mode) | stat.S_IXOTH)


def let_read(folder: Path, user: int) -> None:
    """Let `user` read all of `folder`, as an installation under a strict umask does not."""
    if not folder.exists():
        return
    let_pass(folder, user)
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if not stat.S_ISLNK(mode) and mode & wanted != wanted:
            path.chmod(stat.S_IMODE(mode) | wanted)
