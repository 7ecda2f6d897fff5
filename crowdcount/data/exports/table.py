"""CSV files of points: one row a head."""

from __future__ import annotations

import csv
from pathlib import Path

from crowdcount.data.exports.entries import Entry, find_picture, missing, number
from crowdcount.data.records import Record, Report, short


def read_table(file: Path, report: Report) -> list[Record]:
    """Read a CSV file of head annotations, see `read_csv`.

    Args:
        file: the CSV file.
        report: called with file and problem for each fault; the row is then left out.

    Returns:
        Every picture that is named in the file and exists.
    """
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            lines = [(rows.line_num, row) for row in rows if any(value.strip() for value in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        report(file, f"is not a readable CSV file in UTF-8: {error}.")
        return []
    first, header = lines[0] if lines else (1, [])
    header = [column.strip().lower() for column in header]
    if any(header.count(column) != 1 for column in ("picture", "x", "y")) or header.count("split") > 1:
        report(file, f"line {first}: should name the columns picture, x, y once. Received {short(header)}.")
        return []

    places: dict[str, Path | None] = {}
    entries: dict[Path, Entry] = {}
    for line, row in lines[1:]:
        where = f"line {line}"
        if len(row) != len(header):
            report(file, f"{where}: should have {len(header)} values, as line {first} has. Received {short(row)}.")
            continue
        values = dict(zip(header, (value.strip() for value in row)))
        name = values["picture"]
        if not name:
            report(file, f"{where}: the name of the picture is missing. Received {short(row)}.")
            continue
        if name not in places:
            places[name] = find_picture(file, name)
            if places[name] is None:
                report(file, f"{where} ({name!r}): {missing(file)}.")
        picture = places[name]
        if picture is None:
            continue
        entry = entries.setdefault(picture, Entry(name))
        if "split" in values:
            entry.set_split(values["split"], file, where, report)
        if not values["x"] and not values["y"]:
            entry.empty_line = line
            continue
        point = number(values["x"]), number(values["y"])
        if None in point:
            report(
                file,
                f"{where}: x and y should be finite numbers, or both empty where nobody is. "
                f"Received {values['x']!r}, {values['y']!r}.",
            )
            continue
        entry.points.append(point)
    for entry in entries.values():
        if entry.empty_line and entry.points:
            report(
                file,
                f"line {entry.empty_line}: says that nobody is in {entry.name!r}, but other lines have "
                f"{len(entry.points)} heads in it.",
            )
    return [entry.record(picture, file) for picture, entry in entries.items()]
