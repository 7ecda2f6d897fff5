"""The package's own JSON: one object with the list `pictures`."""

from __future__ import annotations

import json
from pathlib import Path

from crowdcount.data.exports.entries import Entry, find_picture, is_finite_number, missing
from crowdcount.data.records import Record, Report, short


def read_pictures(file: Path, report: Report) -> list[Record]:
    """Read a JSON file of head annotations, see `read_json`.

    Args:
        file: the JSON file.
        report: called with file and problem for each fault; the point or the entry is then left out.

    Returns:
        Every picture that is named in the file and exists.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        report(file, f"is not a readable JSON file in UTF-8: {error}.")
        return []
    listed = content.get("pictures") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        report(file, 'has no list "pictures": {"pictures": [{"picture": "a.jpg", "points": [[x, y], ...]}]}.')
        return []
    entries: dict[Path, Entry] = {}
    without_split = []
    for number, item in enumerate(listed, start=1):
        where = f"entry {number}"
        name = item.get("picture") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name.strip():
            report(file, f"{where}: should be an object with the name of a picture. Received {short(item)}.")
            continue
        entry = Entry(name.strip())
        where += f" ({entry.name!r})"
        picture = find_picture(file, entry.name)
        if picture is None:
            report(file, f"{where}: {missing(file)}.")
            continue
        if picture in entries:
            report(file, f"{where}: an earlier entry has the same picture.")
            continue
        entries[picture] = entry
        if "split" in item:
            entry.set_split(item["split"], file, where, report)
        else:
            without_split.append(entry.name)
        points = item.get("points")
        if not isinstance(points, list):
            report(file, f'{where}: should have "points", a list of [x, y]. Received {short(points)}.')
            continue
        for point in points:
            if not isinstance(point, list) or len(point) != 2 or not all(map(is_finite_number, point)):
                report(file, f"{where}: a point should be two finite numbers. Received {short(point)}.")
            else:
                entry.points.append((float(point[0]), float(point[1])))
        count = item.get("count")
        if count is not None and (isinstance(count, bool) or count != len(points)):
            report(file, f"{where}: says that it has {short(count)} heads but holds {len(points)} points.")
    if 0 < len(without_split) < len(entries):
        report(file, f'{without_split[0]!r} has no "split", others have: give every entry one, or none.')
    return [entry.record(picture, file) for picture, entry in entries.items()]
