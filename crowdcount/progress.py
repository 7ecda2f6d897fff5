"""Whether and how a person who waits sees how far the work is: the one policy for every bar.

A bar is shown on a terminal and in a notebook. The environment variable `TQDM_DISABLE=1` hides all bars.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sized
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

_LINES_APART = 60.0  # seconds between two lines of a log, where nobody watches


def in_notebook() -> bool:
    """Whether the code runs in a notebook's kernel: its standard error is no terminal, and yet somebody looks at it."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it long before us
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def is_watched() -> bool:
    """Whether bars are shown: on a terminal or in a notebook, unless `TQDM_DISABLE` is set."""
    hidden = os.environ.get("TQDM_DISABLE", "").strip().lower() not in ("", "0", "false")
    return not hidden and (in_notebook() or sys.stderr.isatty())


def bar(
    items: Iterable | None,
    unit: str,
    text: str | None = None,
    *,
    wanted: bool = True,
    log: bool = False,
    total: int | None = None,
    **options: Any,
) -> tqdm:
    """A bar over items, or to be moved by hand.

    Args:
        items: what is gone through; None for a bar that is moved by its `update`.
        unit: one of the items, as `"picture"`.
        text: what the bar is about.
        wanted: False where the caller's user has asked for none.
        log: work of hours: a line each minute where nobody watches, for a log.
        total: number of items, where they do not know it.
        options: of `tqdm`.

    Example:
        >>> [picture for picture in bar(["a.jpg", "b.jpg"], "picture")]
        ['a.jpg', 'b.jpg']
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets tqdm draws letters, as on a terminal, and complains
        from tqdm.auto import tqdm

    watched = is_watched()
    return tqdm(
        items,
        desc=text,
        unit=unit,
        total=len(items) if total is None and isinstance(items, Sized) else total,
        file=sys.stderr,
        disable=not wanted or not (watched or log),
        mininterval=0.1 if watched else _LINES_APART,
        ascii=None if watched else True,
        dynamic_ncols=watched,
        **options,
    )
