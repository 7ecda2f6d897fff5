"""A report on counted pictures: one HTML file with everything in it, for any browser, without a network.

Each picture is shown small with its heat map, its count and range, and what speaks against them; pictures
that tell when they were taken make a chart of the count by time.
"""

from __future__ import annotations

import base64
import functools
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from PIL import Image

from crowdcount import __version__
from crowdcount.area.ground import SERVICE_LEVELS, level_of_service
from crowdcount.counting.ranges import sum_range
from crowdcount.counting.report_chart import Dot, chart_svg
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.counting.sources import listed, short_names
from crowdcount.counting.time_chart import top_of
from crowdcount.counting.words import PEOPLE, about, amount, dense, span, whole, width_of
from crowdcount.data.exif import taken_at
from crowdcount.data.images import load_picture
from crowdcount.errors import PictureError
from crowdcount.files import atomic_path

if TYPE_CHECKING:
    import jinja2

# Longest side in pixels, and JPEG quality, of a thumbnail: about 15 kB, so that a thousand make 20 MB.
_THUMBNAIL = 400
_QUALITY = 70


@dataclass(frozen=True)
class Entry:
    """What the report tells of one picture.

    Args:
        picture: its name.
        count: number of people; None where it could not be counted.
        low, high, coverage: the range of the count, or None.
        scale: it was counted at so many times its size, or None.
        taken: when the picture was taken by its camera's clock, or None.
        thumbnail: JPEG of the picture, or None.
        heat: whether the thumbnail shows the density map.
        model: name of the network.
        warnings: reasons to doubt the count.
        error: why there is no count, or not all that was asked for.
        zones: name of a zone -> people in it.
        zone_ranges: name of a zone that has a range -> its ends.
        per_m2: name of a zone -> people per square meter.
        thing: what was counted, in the plural.
    """

    picture: str
    count: float | None = None
    low: float | None = None
    high: float | None = None
    coverage: float | None = None
    scale: float | None = None
    taken: datetime | None = None
    thumbnail: bytes | None = None
    heat: bool = True
    model: str | None = None
    warnings: Sequence[str] = ()
    error: str | None = None
    zones: Mapping[str, float] = field(default_factory=dict)
    zone_ranges: Mapping[str, Sequence[float]] = field(default_factory=dict)
    per_m2: Mapping[str, float] = field(default_factory=dict)
    thing: str = PEOPLE


Reportable = CountResult | CountFailure | Entry


def write_report(
    path: str | os.PathLike, results: Reportable | Iterable[Reportable], *, title: str | None = None
) -> None:
    """Write a report on counted pictures as one HTML file.

    Args:
        path: the file to write; its name usually ends in `.html`.
        results: what `count` returned, or `counting.count_many` yields; or entries of
            your own. Of each only the thumbnail is kept: a generator over many pictures needs little memory.
        title: heading of the report; None for what was counted.

    Raises:
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/march.html"
        >>> write_report(path, [Entry("<march>.jpg", 1243.7, low=1100, high=1400, coverage=0.9)])
        >>> "&lt;march&gt;.jpg" in open(path, encoding="utf-8").read()
        True
    """
    entries = [result if isinstance(result, Entry) else entry_of(result) for result in listed(results)]
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(report_page(entries, title or about("People counted", _thing(entries))))


def entry_of(
    result: CountResult | CountFailure,
    *,
    zones: Mapping[str, float] | None = None,
    zone_ranges: Mapping[str, Sequence[float]] | None = None,
    per_m2: Mapping[str, float] | None = None,
    error: str | None = None,
) -> Entry:
    """What the report tells of a result: made while the picture is at hand, it holds neither picture nor map.

    Args:
        result: what `count` or `counting.count_many` gave.
        zones, zone_ranges, per_m2: people, the ends of their ranges, and people per square meter, by zone.
        error: why not all that was asked for could be told of a picture that was counted.
    """
    if isinstance(result, CountFailure):
        return Entry(result.picture, error=result.error)
    return Entry(
        picture=result.picture,
        count=result.count,
        low=result.low,
        high=result.high,
        coverage=result.coverage,
        scale=result.scale,
        taken=taken_at(result.source),
        thumbnail=_thumbnail(result),
        model=result.model,
        warnings=tuple(result.warnings),
        error=error,
        zones=dict(zones or {}),
        zone_ranges=dict(zone_ranges or {}),
        per_m2=dict(per_m2 or {}),
        thing=result.thing,
    )


def entry_of_file(picture: str, count: float | None, *, page: int | None = None, **details) -> Entry:
    """What the report tells of a picture that was counted earlier: its density map has gone.

    Args:
        picture: path of the picture, which need not be there any more.
        count: number of people; None where it could not be counted.
        page: the page that was asked for, see `load_picture`.
        details: further arguments of `Entry`.
    """
    thumbnail = _plain_thumbnail(picture, page)
    return Entry(picture, count, taken=taken_at(picture), thumbnail=thumbnail, heat=False, **details)


def _thumbnail(result: CountResult) -> bytes | None:
    try:
        return _jpeg(Image.fromarray(result.overlay(longest_side=_THUMBNAIL)))
    except PictureError:  # moved, removed or replaced meanwhile
        return None


def _plain_thumbnail(path: str, page: int | None) -> bytes | None:
    try:
        image = Image.fromarray(load_picture(path, page=page))
    except PictureError:  # moved or removed meanwhile
        return None
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return _jpeg(image)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


# --- The page -----------------------------------------------------------------------------------------------


def report_page(entries: Sequence[Entry], title: str) -> Iterator[str]:
    """The parts of the page that `write_report` writes: put together they would be as large as all pictures."""
    counted = [entry for entry in entries if entry.count is not None]
    failed = [entry for entry in entries if entry.count is None]
    models = ", ".join(dict.fromkeys(entry.model for entry in counted if entry.model))
    yield from _template().generate(
        title=title,
        made=" · ".join(filter(None, [_pictures(len(entries)), models and f"model {models}", _moment(datetime.now())])),
        tiles=_tiles(counted, failed),
        chart=_chart(entries, len(counted)),
        cards=(_card(number, entry) for number, entry in enumerate(entries, 1) if entry.count is not None),
        failed=failed,
        footer=_footer(counted),
    )


@functools.cache
def _template() -> jinja2.Template:
    """The page, `report.html`; names of files and warnings are text in it, whatever they hold."""
    import jinja2

    # No code of a template is kept between runs, and nothing is looked up outside the package.
    loader = jinja2.PackageLoader("crowdcount", "counting")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("report.html")


def _tiles(counted: Sequence[Entry], failed: Sequence[Entry]) -> list[tuple[str, str, str]]:
    """Name, value and note of what stands above the pictures."""
    tiles = []
    if counted:
        most = max(counted, key=_people)
        name = short_names(entry.picture for entry in counted)[most.picture]
        tiles.append((f"Most {most.thing} in one picture", _count(most), name))
        if len(counted) > 1:
            ends = sum_range((entry.low, entry.high) for entry in counted)
            width = sum(width_of(_people(entry), entry.low, entry.high) for entry in counted)
            total = whole(sum(map(_people, counted)), 0.0, width)
            notes = [f"{span(*ends)} if all are off the same way" if ends else "no range: some pictures have none"]
            notes.append(about("people on several pictures count several times", most.thing))
            tiles.append(("Sum of all pictures", total, "; ".join(notes)))
    doubtful = sum(1 for entry in counted if entry.warnings)
    tiles.append(("Pictures counted", f"{len(counted):,}", f"{doubtful} with warnings" if doubtful else "no warnings"))
    if failed:
        tiles.append(("Not counted", f"{len(failed):,}", "reasons below"))
    return tiles


def _card(number: int, entry: Entry) -> dict[str, object]:
    """What stands in a picture's card."""
    folder, name = os.path.split(entry.picture)
    shown = "with its heat map" if entry.heat else "(counted earlier: without heat map)"
    told = [folder]
    if entry.taken:
        told.append(f"taken {_moment(entry.taken)}")
    if entry.scale not in (None, 1):
        told.append(f"counted at {entry.scale:.3g} times its size")
    return {
        "number": number,
        "name": name,
        "alt": f"{name} {shown}",
        "thumbnail": base64.b64encode(entry.thumbnail).decode() if entry.thumbnail else None,
        "count": amount(_count(entry), entry.thing),
        "range": _range(entry),
        "about": list(filter(None, told)),
        "zones": [_zone(entry, zone) for zone in entry.zones],
        "warnings": entry.warnings,
        "error": entry.error,
    }


def _zone(entry: Entry, name: str) -> dict[str, str]:
    ends = entry.zone_ranges.get(name, ())
    told = {"name": name, "people": whole(entry.zones[name], *ends), "range": span(*ends) if ends else ""}
    if name in entry.per_m2:
        per_m2 = entry.per_m2[name]
        levels = (f"{use} {level_of_service(per_m2, use)}" for use in SERVICE_LEVELS)
        told |= {"per_m2": dense(per_m2), "levels": ", ".join(levels)}
    return told


def _footer(counted: Sequence[Entry]) -> list[str]:
    thing = _thing(counted)
    texts = ["Every count is an estimate by a neural network."]
    if any(entry.heat for entry in counted):
        texts[0] += f" The colors show where it sees {thing}, from dark for few to bright for many."
    if any(not entry.heat for entry in counted):
        texts.append("Pictures without colors were counted in an earlier run, of which the counts alone are left.")
    if any(entry.low is not None for entry in counted):
        texts.append(
            "The truth lies in its range for the given share of pictures, if they are like those that the "
            "network was validated on. Of other pictures the ranges may hold fewer."
        )
    if any(entry.per_m2 for entry in counted):
        texts.append(
            "Fruin's level of service, for people who stand and for people who walk, runs from A (room to move "
            "freely) to F (bodies touch). It is a measure of comfort, not a verdict on safety."
        )
    return [*texts, f"Made by crowdcount {__version__}."]


def _chart(entries: Sequence[Entry], counted: int) -> dict[str, str] | None:
    """The counts by time, if at least two tell when they were taken, and what is to be said of them."""
    names = short_names(entry.picture for entry in entries)
    dots = [
        Dot(entry.taken, entry.count, entry.low, entry.high, f"#picture-{number}", _dot(entry, names[entry.picture]))
        for number, entry in enumerate(entries, 1)
        if entry.count is not None and entry.taken
    ]
    if len(dots) < 2:
        return None
    note = "Times are those of the cameras' clocks. A point leads to its picture"
    highs = [dot.high for dot in dots if dot.high is not None]
    if highs:
        note += ", a bar shows the range of its count"
        highest = max(highs)
        if highest > top_of([dot.count for dot in dots], highs):
            end = whole(highest, 0.0, highest)
            note += f". Bars that reach above the chart are cut off: the highest goes up to {end}"
    if len(dots) < counted:
        note += f". {len(dots)} of {_pictures(counted)} tell when they were taken"
    titles = [about(text, _thing(entries)) for text in ("People by time", "Number of people by time")]
    svg = chart_svg(sorted(dots, key=lambda dot: dot.taken), titles[1])
    return {"svg": svg, "title": titles[0], "note": f"{note}."}


def _dot(entry: Entry, name: str) -> str:
    """What a point of the chart tells."""
    assert entry.taken is not None  # asked by whoever calls
    told = [f"{name}, {_moment(entry.taken)}: {_count(entry)}", _range(entry)]
    return ", ".join(filter(None, told))


def _thing(entries: Sequence[Entry]) -> str:
    """What was counted; a picture that could not be counted, which may come first, does not tell."""
    return next((entry.thing for entry in entries if entry.count is not None), PEOPLE)


def _people(entry: Entry) -> float:
    """The count of one that was counted."""
    assert entry.count is not None
    return entry.count


def _count(entry: Entry) -> str:
    return whole(_people(entry), entry.low, entry.high)


def _range(entry: Entry) -> str | None:
    if entry.low is None or entry.high is None:
        return None
    told = span(entry.low, entry.high)
    return told if entry.coverage is None else f"{told} ({entry.coverage * 100:.3g} % range)"


def _pictures(number: int) -> str:
    return "1 picture" if number == 1 else f"{number:,} pictures"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
