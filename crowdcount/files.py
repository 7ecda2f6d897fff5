"""Where the package's own files lie, and how files are written."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """Folder of the files that come with the package: `"weights"` or `"datasets"`.

    In an ordinary install they lie inside the package (`crowdcount/_weights`), in a checkout or an editable install
    beside it (`weights`). `setup.cfg` maps the one to the other.

    Raises:
        FileNotFoundError: if neither exists, which means that the installation is incomplete.
    """
    candidates = (_PACKAGE / f"_{name}", _PACKAGE.parent / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"crowdcount's folder {name!r} is missing: looked for {' and '.join(map(str, candidates))}. "
        "The installation is incomplete: install crowdcount again from a full checkout."
    )


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it onto `path` when the block ends well, remove it when it fails.

    A reader sees the old file or the whole new one, never a half-written one. The suffix is kept, because writers
    choose the format by it.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "count.txt"
        >>> with atomic_path(target) as temporary:
        ...     _ = temporary.write_text("42")
        >>> target.read_text()
        '42'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
