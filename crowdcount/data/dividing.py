"""Which pictures are trained on, and which are kept for validation: lists by name, and a hash of the name."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

SPLITS = ("train", "val", "test", "all")
# Validation lists of earlier times, which cards of networks still name; where a data set has none, they mean "val".
OLDER_SPLITS = ("val29",)

_LISTS = Path(__file__).resolve().parent / "splits"


def listed_names(name: str) -> frozenset[str]:
    """The names (stems of picture files) in a list of the folder `splits`.

    Example:
        >>> len(listed_names("shanghaitech_a_val")), len(listed_names("shanghaitech_b_val"))
        (60, 40)
    """
    text = (_LISTS / f"{name}.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def hashed_split(name: str) -> str:
    """`"val"` for about a tenth of all names, `"train"` for the others: for one name always the same.

    A picture keeps its split when others are added, which no draw by rank or by random numbers would ensure.
    The folder `images` in front does not count, because the same picture may be named with it or without.

    Example:
        >>> hashed_split("street.jpg") == hashed_split("images/street.jpg")
        True
    """
    import hashlib

    name = str(PurePosixPath(name.replace("\\", "/")))
    digest = hashlib.sha256(name.removeprefix("images/").encode("utf-8", "surrogatepass")).digest()
    return "val" if int.from_bytes(digest[:8], "big") % 10 == 0 else "train"
