"""How much memory is left, as far as the system tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Names of the files with a group's limit and its use, and what of that use is only kept as long as nobody needs it.
_GROUPS = {
    "": ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    "memory": ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take without others being driven out, on Linux; None elsewhere.

    What the machine has left counts, and what the limits of control groups leave, as those of containers.

    Args:
        root: where `proc` and `sys` lie.

    Example:
        >>> free_memory(Path("/nowhere")) is None
        True
    """
    rooms = list(_group_rooms(root))
    with suppress(OSError, ValueError):
        rooms.append(1024 * _number(root / "proc/meminfo", "MemAvailable:"))
    return min(rooms, default=None)


def _group_rooms(root: Path) -> Iterator[int]:
    """What each control group that this process is in leaves, and each around it."""
    lines: list[str] = []
    with suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, place = line.split(":", 2)
        kind = "memory" if "memory" in controllers.split(",") else controllers
        if kind not in _GROUPS:
            continue
        mounted, most, used, kept = _GROUPS[kind]
        # In a container the mounted folder may be the group itself.
        inner = root / mounted / place.lstrip("/")
        for folder in (inner, *inner.parents):
            with suppress(OSError, ValueError):
                limit, use = (int((folder / name).read_text()) for name in (most, used))
                yield max(0, limit - use + _number(folder / "memory.stat", kept))
            if folder == root / mounted:
                break


def _number(file: Path, name: str) -> int:
    """The number behind a name in a file of such lines."""
    for line in file.read_text().splitlines():
        words = line.split()
        if words and words[0] == name:
            return int(words[1])
    raise ValueError(f"{file} has no {name}")
