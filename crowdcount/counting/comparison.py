"""Several counts side by side: text on a terminal, a table with pictures in a notebook."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass

from crowdcount.counting.doubts import fullest_block
from crowdcount.counting.pictures import count_many
from crowdcount.counting.ranges import COVERAGE
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.counting.sources import listed, short_names
from crowdcount.counting.words import span, whole
from crowdcount.data.images import Source
from crowdcount.errors import DataError, PictureError
from crowdcount.network.loading import Model

# Longest side, in pixels, of a picture in the table.
_THUMBNAIL = 240
_COLUMNS = ("picture", "count", "low", "high", "coverage", "densest", "size", "model", "warnings", "error")
_CELL = "text-align:left;vertical-align:top"


@dataclass(eq=False)
class Comparison:
    """Counts side by side; printed it is a table in text, in a notebook one with overlays.

    Args:
        results: the counts, in the order of the table; of a picture that could not be counted, the reason.
    """

    results: list[CountResult | CountFailure]

    def rows(self) -> list[dict]:
        """A dictionary a picture: `picture`, `count`, `low`, `high`, `coverage`, `densest`, `size`, `model`,
        `warnings` and `error`.

        `densest` is the number of people in the fullest block of 64 x 64 pixels. `error` says why a picture
        could not be counted, where all the others but its name are None; of the counted it is None.
        """
        return [_row(result) for result in self.results]

    def __repr__(self) -> str:
        names, *lines = [list(map(str, cells)) for cells in self._cells()]
        lines = [[cell.replace("\n", " ") for cell in line] for line in lines]
        widths = [max(len(line[column]) for line in [names, *lines]) for column in range(len(names))]
        rights = [name not in ("picture", "model", "warnings", "not counted") for name in names]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(line, widths, rights)
            ).rstrip()
            for line in [names, *lines]
        )

    def _repr_html_(self) -> str:
        """What Jupyter shows."""
        names, *lines = self._cells()
        head = "".join(f'<th style="{_CELL}">{html.escape(name)}</th>' for name in ["", *names])
        body = ""
        for result, line in zip(self.results, lines):
            cells = [_shown(result), *(html.escape(str(cell)).replace("\n", "<br>") for cell in line)]
            body += "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cells(self) -> list[list]:
        """A list of cells a line, the names of the columns first; without columns that tell nothing."""
        table, rows = [], self.rows()
        names = short_names(row["picture"] for row in rows)
        for row in rows:
            counted = row["error"] is None
            ends = (row["low"], row["high"])
            table.append(
                {
                    "picture": names[row["picture"]],
                    "count": whole(row["count"], *ends) if counted else "",
                    "range": "" if ends[0] is None else span(*ends),
                    "fullest 64x64": f"{row['densest']:.1f}" if counted else "",
                    "size": row["size"] or "",
                    "model": row["model"] or "",
                    "warnings": "\n".join(row["warnings"] or ()),
                    "not counted": row["error"] or "",
                }
            )
        kept = [
            name
            for name in table[0]
            if any(line[name] for line in table)
            and (name != "model" or len({line["model"] for line in table if line["model"]}) > 1)
        ]
        coverages = {row["coverage"] for row in rows if row["coverage"] is not None}
        one = next(iter(coverages)) if len(coverages) == 1 else None
        titles = [f"{100 * one:.3g} % range" if name == "range" and one else name for name in kept]
        return [titles, *([line[name] for name in kept] for line in table)]


def compare(
    items: Source | CountResult | CountFailure | Iterable[Source | CountResult | CountFailure],
    *,
    model: Model = "general",
    coverage: float = COVERAGE,
) -> Comparison:
    """Put several pictures, or counts of one picture by several networks, side by side.

    Args:
        items: pictures, paths of folders, and what `count` or `count_many` gave of a picture, in any mixture;
            or one of them.
        model, coverage: as for `count`, for what is not counted yet.

    Returns:
        A `Comparison`; a picture that cannot be counted is a row that tells why.

    Raises:
        DataError: if there is nothing to compare, or `coverage` is no share between 0 and 1.
        WeightsError: if there is no such network, or its file is damaged.

    Example:
        >>> import crowdcount
        >>> import numpy as np
        >>> network = crowdcount.CSRNet(width=1 / 16)
        >>> table = compare([np.zeros((48, 80, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)], model=network)
        >>> [row["size"] for row in table.rows()]
        ['80x48', '64x64']
    """
    results: list[CountResult | CountFailure] = []
    for item in listed(items):
        done = isinstance(item, (CountResult, CountFailure))
        results += [item] if done else count_many([item], model, coverage=coverage)
    if not results:
        raise DataError("There is nothing to compare. Received: an empty list")
    return Comparison(results)


def _row(result: CountResult | CountFailure) -> dict:
    row = dict.fromkeys(_COLUMNS) | {key: value for key, value in result.to_dict().items() if key in _COLUMNS}
    if isinstance(result, CountResult):
        row |= {"count": result.count, "low": result.low, "high": result.high}  # not rounded: to compute with
        row |= {"densest": fullest_block(result.density), "size": f"{result.width}x{result.height}"}
    return row


def _shown(result: CountResult | CountFailure) -> str:
    if isinstance(result, CountFailure):
        return ""
    from PIL import Image

    try:
        shown = result.overlay(longest_side=_THUMBNAIL)
    except PictureError:  # moved, removed or replaced meanwhile
        return "the picture has moved"
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'
