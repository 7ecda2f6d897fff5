"""A report on counted pictures: one HTML file with everything in it, for any browser, without a network.

Each picture is shown small with its heat map, its count and range, and what speaks against them; pictures
that tell when they were taken make a chart of the count by time.
"""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape

import numpy as np
from PIL import Image

from crowdcount import __version__
from crowdcount.area.ground import SERVICE_LEVELS, level_of_service
from crowdcount.counting.report_style import STYLE
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.counting.words import PEOPLE, about, amount
from crowdcount.data.exif import taken_at
from crowdcount.data.images import load_picture
from crowdcount.errors import PictureError
from crowdcount.files import atomic_path
from crowdcount.show.plots import overlay

# Longest side in pixels, and JPEG quality, of a thumbnail: about 15 kB, so that a thousand make 20 MB.
_THUMBNAIL = 400
_QUALITY = 70

# Chart, in units of its own: size, and the room for the labels of the axes.
_WIDTH, _HEIGHT = 840, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 16, 44
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TIME_STEPS = (
    *(1, 5, 15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR),
    *(_DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY, 91 * _DAY, 365 * _DAY),
)
_MOST_TICKS = 7


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
    per_m2: Mapping[str, float] = field(default_factory=dict)
    thing: str = PEOPLE


Reportable = CountResult | CountFailure | Entry


def write_report(path: str | os.PathLike, results: Iterable[Reportable], *, title: str | None = None) -> None:
    """Write a report on counted pictures as one HTML file.

    Args:
        path: the file to write; its name usually ends in `.html`.
        results: what `count` returned for a list or folder, or `counting.count_many` yields; or entries of
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
    entries = [result if isinstance(result, Entry) else entry_of(result) for result in results]
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(report_page(entries, title or about("People counted", entries[0].thing if entries else PEOPLE)))


def entry_of(
    result: CountResult | CountFailure,
    *,
    zones: Mapping[str, float] | None = None,
    per_m2: Mapping[str, float] | None = None,
    error: str | None = None,
) -> Entry:
    """What the report tells of a result: made while the picture is at hand, it holds neither picture nor map.

    Args:
        result: what `count` or `counting.count_many` gave.
        zones, per_m2: people, and people per square meter, by zone.
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
        thumbnail=_thumbnail(result.source, result.density),
        model=result.model,
        warnings=tuple(result.warnings),
        error=error,
        zones=dict(zones or {}),
        per_m2=dict(per_m2 or {}),
        thing=result.thing,
    )


def entry_of_file(picture: str, count: float | None, **details) -> Entry:
    """What the report tells of a picture that was counted earlier: its density map has gone.

    Args:
        picture: path of the picture, which need not be there any more.
        count: number of people; None where it could not be counted.
        details: further arguments of `Entry`.
    """
    thumbnail = _thumbnail(picture, None)
    return Entry(picture, count, taken=taken_at(picture), thumbnail=thumbnail, heat=False, **details)


def _thumbnail(source: str | np.ndarray | None, density: np.ndarray | None) -> bytes | None:
    try:
        picture = load_picture(source)  # type: ignore[arg-type]  # None is refused there
    except PictureError:  # moved or removed meanwhile
        return None
    if density is None:
        image = Image.fromarray(picture)
        image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    else:
        image = Image.fromarray(overlay(picture, density, longest_side=_THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


# --- The page -----------------------------------------------------------------------------------------------


def report_page(entries: Sequence[Entry], title: str) -> Iterator[str]:
    """The parts of the page that `write_report` writes: put together they would be as large as all pictures."""
    counted = [entry for entry in entries if entry.count is not None]
    failed = [entry for entry in entries if entry.count is None]
    models = ", ".join(dict.fromkeys(entry.model for entry in counted if entry.model))
    made = f"{_pictures(len(entries))} · {f'model {models} · ' if models else ''}{_moment(datetime.now())}"
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # Whatever a file may be called, the page loads nothing and runs nothing.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<header>\n<h1>{escape(title)}</h1>\n<p class="soft">{escape(made)}</p>\n</header>\n'
    )
    yield _tiles(counted, failed)
    dated = sorted(
        ((number, entry) for number, entry in enumerate(entries, 1) if entry.count is not None and entry.taken),
        key=lambda pair: _when(pair[1]),
    )
    if len(dated) > 1:
        yield _chart_section(dated, len(counted))
    if counted:
        yield '<section>\n<h2>Pictures</h2>\n<div class="cards">\n'
        yield from (_card(number, entry) for number, entry in enumerate(entries, 1) if entry.count is not None)
        yield "</div>\n</section>\n"
    if failed:
        yield "<section>\n<h2>Not counted</h2>\n"
        for entry in failed:
            reason = escape(entry.error or "")
            yield f'<p class="note error"><b>{escape(entry.picture)}</b><br>{reason}</p>\n'
        yield "</section>\n"
    yield _footer(counted)
    yield "</main>\n</body>\n</html>\n"


def _tiles(counted: Sequence[Entry], failed: Sequence[Entry]) -> str:
    tiles = []
    if counted:
        most = max(counted, key=_people)
        tiles.append(
            (f"Most {escape(most.thing)} in one picture", _number(_people(most)), os.path.basename(most.picture))
        )
        if len(counted) > 1:
            total = _number(sum(map(_people, counted)))
            note = about("people on several pictures count several times", most.thing)
            tiles.append(("Sum of all pictures", total, note))
    doubtful = sum(1 for entry in counted if entry.warnings)
    tiles.append(("Pictures counted", f"{len(counted):,}", f"{doubtful} with warnings" if doubtful else "no warnings"))
    if failed:
        tiles.append(("Not counted", f"{len(failed):,}", "reasons below"))
    return (
        '<section class="tiles">\n'
        + "".join(
            f'<div class="tile"><span class="soft">{name}</span><b>{value}</b>'
            f'<span class="soft">{escape(note)}</span></div>\n'
            for name, value, note in tiles
        )
        + "</section>\n"
    )


def _card(number: int, entry: Entry) -> str:
    folder, name = os.path.split(entry.picture)
    if entry.thumbnail is None:
        shown = '<div class="no-picture">the picture has moved</div>'
    else:
        data = base64.b64encode(entry.thumbnail).decode()
        what = "with its heat map" if entry.heat else "(counted earlier: without heat map)"
        shown = f'<img loading="lazy" alt="{escape(name)} {what}" src="data:image/jpeg;base64,{data}">'
    lines = [f'<p class="count">{escape(amount(_number(_people(entry)), entry.thing))}</p>']
    if entry.low is not None and entry.high is not None:
        lines.append(f'<p class="soft">{_range(entry)}</p>')
    lines.append(f'<h3 class="name">{escape(name)}</h3>')
    about = [escape(folder)] if folder else []
    if entry.taken:
        about.append(f"taken {_moment(entry.taken)}")
    if entry.scale not in (None, 1):
        about.append(f"counted at {entry.scale:.3g} times its size")
    if about:
        lines.append(f'<p class="soft">{"<br>".join(about)}</p>')
    if entry.zones:
        lines.append(_zone_table(entry))
    lines += [f'<p class="note warning">Warning: {escape(text)}</p>' for text in entry.warnings]
    if entry.error:
        lines.append(f'<p class="note error">Error: {escape(entry.error)}</p>')
    return (
        f'<article class="card" id="picture-{number}">\n{shown}\n<div class="text">\n'
        + "\n".join(lines)
        + "\n</div>\n</article>\n"
    )


def _zone_table(entry: Entry) -> str:
    rows = []
    for name, people in entry.zones.items():
        density = ""
        if name in entry.per_m2:
            per_m2 = entry.per_m2[name]
            levels = ", ".join(f"{use} {level_of_service(per_m2, use)}" for use in SERVICE_LEVELS)
            density = f'<td>{per_m2:.2f} per m²<br><span class="soft">Fruin: {levels}</span></td>'
        rows.append(f"<tr><th>{escape(name)}</th><td>{people:,.1f}</td>{density}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _footer(counted: Sequence[Entry]) -> str:
    thing = counted[0].thing if counted else PEOPLE
    texts = [
        f"Every count is an estimate by a neural network. The colors show where it sees {escape(thing)}, from dark "
        "for few to bright for many."
    ]
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
    texts.append(f"Made by crowdcount {__version__}.")
    return "<footer>\n" + "".join(f'<p class="soft">{text}</p>\n' for text in texts) + "</footer>\n"


# --- The chart ----------------------------------------------------------------------------------------------


def _chart_section(dated: Sequence[tuple[int, Entry]], counted: int) -> str:
    note = "Times are those of the cameras' clocks. A point leads to its picture"
    if any(entry.low is not None for _, entry in dated):
        note += ", a bar shows the range of its count"
    if len(dated) < counted:
        note += f". {len(dated)} of {_pictures(counted)} tell when they were taken"
    return (
        f'<section>\n<h2>People by time</h2>\n<div class="chart">\n{_chart(dated)}</div>\n'
        f'<p class="soft">{note}.</p>\n</section>\n'
    )


def _chart(dated: Sequence[tuple[int, Entry]]) -> str:
    """An SVG of the counts by time, as it stands in the page and takes its colors from there."""
    start, end = _when(dated[0][1]), _when(dated[-1][1])
    if start == end:
        start, end = start - timedelta(seconds=_MINUTE), end + timedelta(seconds=_MINUTE)
    heights = _ticks(max(max(_people(entry), entry.high or 0) for _, entry in dated))

    def across(moment: datetime) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((moment - start) / (end - start))

    def down(people: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (people / heights[-1])

    parts = []
    for value in heights:
        y = down(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>')
    for moment, first, second in _time_ticks(start, end):
        x = across(moment)
        y = _HEIGHT - _BOTTOM
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 5}"/>')
        parts.append(f'<text x="{x:.1f}" y="{y + 20}" text-anchor="middle">{first}</text>')
        if second:
            parts.append(f'<text x="{x:.1f}" y="{y + 36}" text-anchor="middle">{second}</text>')
    for _, entry in dated:
        if entry.low is not None and entry.high is not None:
            x, low, high = across(_when(entry)), down(entry.low), down(entry.high)
            parts.append(f'<line class="range" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
    points = [f"{across(_when(entry)):.1f},{down(_people(entry)):.1f}" for _, entry in dated]
    parts.append(f'<polyline class="course" points="{" ".join(points)}"/>')
    for (number, entry), point in zip(dated, points):
        left, top = point.split(",")
        told = f"{os.path.basename(entry.picture)}, {_moment(_when(entry))}: {_number(_people(entry))}"
        if entry.low is not None and entry.high is not None:
            told += f", {_range(entry)}"
        parts.append(
            f'<a href="#picture-{number}"><circle class="dot" cx="{left}" cy="{top}" r="5">'
            f"<title>{escape(told)}</title></circle></a>"
        )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Number of people by time">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _ticks(most: float) -> list[int]:
    """Round numbers from 0 to at least `most`, at even steps, six at most."""
    rough = max(1.0, most / 5)
    scale = 10 ** math.floor(math.log10(rough))
    step = next(factor * scale for factor in (1, 2, 5, 10) if factor * scale >= rough * (1 - 1e-9))
    return [step * index for index in range(max(1, math.ceil(most / step - 1e-9)) + 1)]


def _time_ticks(start: datetime, end: datetime) -> Iterator[tuple[datetime, str, str]]:
    """Round moments from start to end; each with a label, and a second one where the day or year is new."""
    seconds = (end - start).total_seconds()
    step = next((step for step in _TIME_STEPS if seconds / step < _MOST_TICKS), seconds / (_MOST_TICKS - 1))
    origin = datetime(1970, 1, 1)
    index = math.ceil((start - origin).total_seconds() / step)
    before = None
    while (moment := origin + timedelta(seconds=index * step)) <= end:
        if step < _DAY:
            first = moment.strftime("%H:%M" if step >= _MINUTE else "%H:%M:%S")
            second = f"{moment:%Y-%m-%d}"
        else:
            first, second = f"{moment:%m-%d}", f"{moment:%Y}"
        yield moment, first, second if second != before else ""
        before = second
        index += 1


def _people(entry: Entry) -> float:
    """The count of one that was counted."""
    assert entry.count is not None
    return entry.count


def _when(entry: Entry) -> datetime:
    """When a dated one was taken."""
    assert entry.taken is not None
    return entry.taken


def _number(count: float) -> str:
    return f"{round(count):,}"


def _range(entry: Entry) -> str:
    assert entry.low is not None and entry.high is not None  # asked by whoever calls
    told = f"{_number(entry.low)} to {_number(entry.high)}"
    return told if entry.coverage is None else f"{told} ({entry.coverage * 100:.3g} % range)"


def _pictures(number: int) -> str:
    return "1 picture" if number == 1 else f"{number:,} pictures"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
