"""What the server of `crowdcount app` answers: pictures and maps in, records out. It keeps nothing.

Everything here is ordinary work, run in the line's one thread; it knows nothing of requests.
"""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from crowdcount.area.ground import read_ground
from crowdcount.area.zone_files import read_zones
from crowdcount.counting.kinds import Kind
from crowdcount.counting.pictures import count
from crowdcount.counting.ranges import usable_calibration
from crowdcount.counting.report import Entry, report_page
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.counting.scale import check_scale
from crowdcount.counting.words import PEOPLE, about
from crowdcount.counting.zone_records import range_columns, zone_columns
from crowdcount.data.exif import taken_at
from crowdcount.data.images import picture_size
from crowdcount.errors import CrowdCountError, DataError, PictureError, WeightsError
from crowdcount.files import data_folder
from crowdcount.grid import STRIDE
from crowdcount.network.cards import list_models, model_card
from crowdcount.network.locate import SUFFIX, find_weights
from crowdcount.show.plots import heat_layer

MOST_PIXELS = 100_000_000
"""Width times height of a picture: 100 megapixels take about 1 GB while they are counted."""

_MOST_ENTRIES = 2000
# Numbers in zones, and in ground points: 5000 corners. Zones of 100 megapixels take half a minute then, a polygon or a
# ground of all of them seconds; the time of the last two grows by the square.
_MOST_NUMBERS = 10_000
# Of a model's card, what says where it comes from; nothing that names files or machines.
_TOLD = ("dataset", "recipe", "pictures", "thing", "license")


class Models:
    """The networks that may be asked for, by name: those with a name, and the one the server was started with.

    Args:
        default: name or file of the one that counts where none is asked for. A file goes by its name, without its
            folder and, where no other network is called so, its ending.

    Raises:
        WeightsError: if there is no such network.
    """

    def __init__(self, default: str):
        cards: dict[str, Mapping] = {card["name"]: card for card in list_models() if "fault" not in card}
        self._places: dict[str, str] = {name: name for name in cards}
        self.default = default
        if default not in cards:
            find_weights(default)  # of a model of Keras there is no card to look for
            file = Path(default).name
            name = file.removesuffix(SUFFIX).removesuffix(".keras")
            self.default = file if name in cards else name
            self._places[self.default] = os.path.abspath(default)
            cards[self.default] = {} if default.endswith(".keras") else model_card(default).content
        self._files = {name: os.path.abspath(find_weights(place)) for name, place in self._places.items()}
        self.cards = [
            {**{key: card[key] for key in _TOLD if key in card}, "name": name, "default": name == self.default}
            for name, card in cards.items()
        ]

    def place(self, name: str) -> str:
        """What `count` takes as its model.

        Raises:
            WeightsError: if no network goes by this name.
        """
        if name not in self._places:
            raise WeightsError(f"There is no model {name!r:.80}. Received one of: {', '.join(self._places)}.")
        return self._places[name]

    def thing(self, name: str | None) -> str:
        """What the network of this name counts, in the plural; people where there is none."""
        return next((card.get("thing", PEOPLE) for card in self.cards if card["name"] == name), PEOPLE)

    def by_name(self, text: str) -> str:
        """A message with the networks by their names in place of their files: a folder here is nobody's business."""
        for name, file in self._files.items():
            card = file.removesuffix(SUFFIX) + ".json"
            text = text.replace(file, name).replace(card, os.path.basename(card))
        return text


def count_picture(
    data: bytes, name: str, models: Models, model: str, coverage: float, *, details: bool = False
) -> tuple[dict, bool]:
    """Count one picture.

    Args:
        data: the bytes of its file.
        name: what it is called in the answer.
        models: the networks.
        model: name of the one to count with.
        coverage: of the range.
        details: add `density`, the map as base64 of little-endian float32, row by row, with `rows` and `columns`;
            `heat`, a PNG of it to lay over the picture, as base64; `heads`, approximate positions [x, y] in pixels;
            `taken`, when the picture was taken by its camera's clock; `kind`, what the ranges of zones go by, or null
            where the count has no range; and `other`, where they reach, or null, see `CountResult.other`.

    Returns:
        The record, as `crowdcount count --json` prints it, and whether the picture was counted. If not, it has a
        `code` beside the `error`: a page in another language than English knows the reason by it.
    """

    def failed(code: str, error: str) -> tuple[dict, bool]:
        return {**CountFailure(name, models.by_name(error)).to_dict(), "code": code}, False

    file = io.BytesIO(data)
    file.name = name  # which messages call it by
    try:
        height, width = picture_size(file)
        if height * width > MOST_PIXELS:
            return failed(
                "too_many_pixels",
                f"{name!r} has {width} x {height} pixels, more than {MOST_PIXELS:,}. Shrink it, or count it with the "
                "command crowdcount count.",
            )
        result = count(file, model=models.place(model), coverage=coverage, progress=False)
    except MemoryError:
        return failed("memory", "There is not enough memory for this picture. Make it smaller.")
    except PictureError as error:
        return failed("not_counted", str(error))
    except CrowdCountError as error:  # the network's
        return failed("not_usable", str(error))
    result.model = model  # by its name: a file's path is nobody's business
    return result.to_dict() | (_details(result, data) if details else {}), True


def count_in_zones(content: Mapping, models: Models) -> dict:
    """Count by zone in a map that was given out before.

    Args:
        content: `width` and `height` of the picture, `density` as `count_picture` gives it, `zones` as
            `crowdcount.read_zones` takes them, and `ground`, as for `--ground`, or None. For ranges also `range`: what
            `count_picture` gave as `model`, `coverage`, `scale`, `kind` and `other`.
        models: the networks.

    Returns:
        See `counting.zone_records.zone_columns` and, of the ranges, `range_columns`.

    Raises:
        DataError: if something is missing or not what it should be.
    """
    size = (_whole(content, "height"), _whole(content, "width"))
    shape = tuple(-(-side // STRIDE) for side in size)
    raw = _base64(content.get("density"), "density")
    if len(raw) != 4 * shape[0] * shape[1]:
        raise DataError(f"The density of a picture of {size[1]}x{size[0]} pixels has {shape} cells of 4 bytes.")
    density = np.frombuffer(raw, "<f4").reshape(shape)
    if not (np.isfinite(density).all() and density.min() >= 0):
        raise DataError("The density must hold finite numbers, none below 0.")
    ground = content.get("ground")
    if not isinstance(content.get("zones"), (list, dict)) or not isinstance(ground, (list, dict, type(None))):
        raise DataError("zones and ground must be lists or objects.")  # a text would be the path of a file
    for what, given in (("zones", content["zones"]), ("ground", ground)):
        if (numbers := _numbers_in(given)) > _MOST_NUMBERS:
            raise DataError(f"{what} may hold {_MOST_NUMBERS:,} numbers. Received: {numbers:,}. Leave some out.")
    zones = read_zones(content["zones"], size)
    columns = zone_columns(density, zones, None if ground is None else read_ground(ground, size), size)
    asked = content.get("range")
    if asked is None or "error" in columns:
        return columns
    ranges = range_columns(_with_range(asked, density, size, models), zones)
    if not all(map(np.isfinite, chain(*ranges.get("zone_ranges", {}).values()))):
        raise DataError("range needs the kind that was answered: with this one the ranges have no end.")
    return columns | ranges


def _numbers_in(content: object) -> int:
    """How many numbers lists and objects hold, however deep they nest."""
    numbers, waiting = 0, [content]
    while waiting:
        value = waiting.pop()
        numbers += isinstance(value, (int, float))
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return numbers


def _with_range(asked: Mapping, density: np.ndarray, size: tuple[int, int], models: Models) -> CountResult:
    """The result that a map came from, as far as the ranges of zones go by it."""
    try:
        kind = Kind(**{key: _finite(value) for key, value in asked["kind"].items()})
        name, coverage, scale = str(asked["model"]), _finite(asked["coverage"]), check_scale(_finite(asked["scale"]))
        other = _number(asked.get("other"))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise DataError(f"range needs the model, coverage, scale and kind that were answered ({error}).") from error
    calibration = usable_calibration(models.place(name), coverage)
    return CountResult(
        *(float(density.sum()), density, "picture", size[1], size[0], name, 0.0),
        coverage=coverage,
        scale=scale,
        calibration=calibration,
        kind=kind,
        other=other,
    )


def report(content: Mapping, models: Models) -> str:
    """A report, as `--report` writes it, on pictures that were counted before.

    Args:
        content: `title`, and `entries`: records with, where there is one, `thumbnail`, a JPEG in base64.
        models: the networks, which tell what was counted.

    Raises:
        DataError: if something is missing or not what it should be.
    """
    entries, title = content.get("entries"), content.get("title")
    if not isinstance(title, (str, type(None))) or not isinstance(entries, list) or len(entries) > _MOST_ENTRIES:
        raise DataError(f"A report needs a title and entries, {_MOST_ENTRIES} at most.")
    try:
        told = [_entry(item, models) for item in entries]
        if title is None:
            title = about("People counted", told[0].thing if told else PEOPLE)
        return "".join(report_page(told, title[:200]))
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"The entries of a report are records of counted pictures ({error}).") from error


def tidy_name(text: str) -> str:
    """A picture's name without folders and control characters.

    Example:
        >>> tidy_name("../../etc/march.jpg"), tidy_name("")
        ('march.jpg', 'picture')
    """
    name = "".join(letter for letter in re.split(r"[/\\]", text)[-1] if letter.isprintable()).strip()
    return name[-120:] if name.strip(".") else "picture"


def _details(result: CountResult, data: bytes) -> dict:
    heat = io.BytesIO()
    Image.fromarray(heat_layer(result.density, result.scale)).save(heat, format="PNG")
    rows, columns = result.density.shape
    taken = taken_at(data)
    return {
        "rows": rows,
        "columns": columns,
        "density": base64.b64encode(result.density.astype("<f4").tobytes()).decode(),
        "heat": base64.b64encode(heat.getvalue()).decode(),
        "heads": np.round(result.heads(), 1).tolist(),
        "taken": taken.isoformat() if taken else None,
        "kind": asdict(result.kind) if result.kind and result.low is not None else None,
        "other": result.other,
    }


def _entry(item: Mapping, models: Models) -> Entry:
    def by_zone(key: str) -> dict[str, float]:
        return {str(name): _finite(people) for name, people in (item.get(key) or {}).items()}

    def text(key: str) -> str | None:
        return None if item.get(key) is None else str(item[key])

    ranges = item.get("zone_ranges") or {}
    return Entry(
        picture=text("picture") or "picture",
        count=_number(item.get("count")),
        low=_number(item.get("low")),
        high=_number(item.get("high")),
        coverage=_number(item.get("coverage")),
        scale=_number(item.get("scale")),
        taken=datetime.fromisoformat(item["taken"]) if item.get("taken") else None,
        thumbnail=_base64(item["thumbnail"], "thumbnail") if item.get("thumbnail") else None,
        model=text("model"),
        warnings=tuple(map(str, item.get("warnings") or ())),
        error=text("error"),
        zones=by_zone("zones"),
        zone_ranges={str(name): (_finite(low), _finite(high)) for name, (low, high) in ranges.items()},
        per_m2=by_zone("per_m2"),
        thing=models.thing(text("model")),
    )


def _number(value: object) -> float | None:
    return None if value is None else _finite(value)


def _finite(value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:  # a whole number of hundreds of digits
        number = np.inf
    if not np.isfinite(number):
        raise ValueError("a number is not finite")
    return number


def _whole(content: Mapping, key: str) -> int:
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PIXELS:
        raise DataError(f"{key} must be a number of pixels. Received: {value!r:.40}")
    return value


def _base64(value: object, what: str) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except ValueError as error:  # of letters that are no ASCII, too
        raise DataError(f"{what} is not base64: {error}.") from error


def example_picture() -> bytes:
    """The drawn picture that comes with crowdcount."""
    return (data_folder("datasets") / "sample.jpg").read_bytes()
