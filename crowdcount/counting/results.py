"""What a count gives: `CountResult`, or `CountFailure` for a picture that could not be counted."""

from __future__ import annotations

import io
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from crowdcount.counting.words import PEOPLE, amount, span, whole
from crowdcount.data import overlay_files
from crowdcount.data.images import load_picture
from crowdcount.errors import DataError, PictureError
from crowdcount.files import atomic_path
from crowdcount.grid import edges

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crowdcount.area.ground import Ground
    from crowdcount.area.zone_files import ZoneSource
    from crowdcount.counting.doubts import Doubt
    from crowdcount.counting.kinds import Kind
    from crowdcount.counting.ranges import Calibration

COLUMNS = (
    *("picture", "count", "low", "high", "coverage", "width", "height", "scale", "model", "seconds"),
    *("warnings", "error"),
)
"""What a picture gives in JSON and CSV, in this order; a CSV file's columns of zones come behind."""

# Longest side, in pixels, of the picture that a notebook shows.
_NOTEBOOK_SIDE = 1024


@dataclass(eq=False, repr=False)
class CountResult:
    """What the network sees in one picture.

    Args:
        count: the number of people, the sum of `density`.
        density: float32 array (ceil(height / 8), ceil(width / 8)), people in each cell of 8 x 8 pixels.
        picture: the picture's path, or `"picture"` where it came without one.
        width: width of the upright picture in pixels.
        height: its height in pixels.
        model: name of the network, or the path of its weights.
        seconds: time to read the picture and run the network, without loading the network.
        warnings: reasons to doubt the count, one sentence each; usually none.
        source: what shows the picture again: its path, or its uint8 RGB array.
        low: lower end of the range that holds the true number in a share `coverage` of pictures like those
            that the network was validated on; None where its card has no calibration (see `ranges`).
        high: upper end of the range, or None.
        coverage: that share, or None.
        thing: what was counted, in the plural, as the network's card says.
        scale: the picture was counted at so many times its size, see `scale.search`; `density` is of its own size.
        page: the page of `source` that was asked for, or None, see `load_picture`.
        calibration: where the range comes from, or None.
        kind: of the picture, where it has a range.
        other: what the picture comes to at another size, where the sizes disagree (see `scale.other_count`): ranges
            reach there. Or None.
        doubts: which reasons to doubt the count the warnings tell, for code that goes by them: `"dark" in
            result.doubts`. See `doubts.Doubt`.
    """

    count: float
    density: np.ndarray
    picture: str
    width: int
    height: int
    model: str
    seconds: float
    warnings: list[str] = field(default_factory=list)
    source: str | np.ndarray | None = None
    low: float | None = None
    high: float | None = None
    coverage: float | None = None
    thing: str = PEOPLE
    scale: float = 1.0
    page: int | None = None
    calibration: Calibration | None = None
    kind: Kind | None = None
    other: float | None = None
    doubts: frozenset[Doubt] = frozenset()

    def to_dict(self) -> dict:
        """What the command line prints of the picture with `--json`: plain numbers and texts, without what it lacks.

        Returns:
            `COLUMNS` -> value, counts to a thousandth of a person; neither map nor picture.

        Example:
            >>> CountResult(64.0, np.ones((8, 8)), "square.jpg", 64, 64, "general", 0.1).to_dict()["count"]
            64.0
        """
        row: dict[str, Any] = {key: getattr(self, key, None) for key in COLUMNS}
        for key in ("count", "low", "high", "seconds"):
            row[key] = None if row[key] is None else round(row[key], 3)
        row["scale"] = rounded_scale(self.scale)
        return {key: value for key, value in row.items() if value is not None}

    def to_json(self) -> str:
        """`to_dict` as one line of JSON, as `crowdcount count --json` prints it."""
        return json.dumps(self.to_dict())

    def zones(self, zones: ZoneSource) -> dict[str, float]:
        """Count the people in each of several zones.

        Args:
            zones: path of a JSON file, its content, or a list of `zones.Zone`; see `zones.read_zones`.

        Returns:
            Zone's name -> people in it.

        Raises:
            DataError: if the zones cannot be read, are no simple polygons, or lie outside the picture.
        """
        from crowdcount.area.zone_files import read_zones
        from crowdcount.area.zones import count_zones

        return count_zones(self.density, read_zones(zones), (self.height, self.width))

    def zone_ranges(self, zones: ZoneSource) -> dict[str, tuple[float, float] | None]:
        """The range of each zone's count, from how far off the network was in quarters of the validation pictures.

        Args:
            zones: as for `zones`.

        Returns:
            Zone's name -> (low, high), of the same `coverage` as the picture's range; None where there is no ground for
            one: the picture has none, its weights know no quarters, or the zone is less than an eighth of the picture.

        Raises:
            DataError: as for `zones`.

        Example:
            >>> result = CountResult(64.0, np.ones((8, 8)), "square.jpg", 64, 64, "general", 0.1)
            >>> result.zone_ranges([{"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}])
            {'left': None}
        """
        from crowdcount.area.zone_files import read_zones
        from crowdcount.area.zones import zone_shares
        from crowdcount.counting.ranges import COVERAGE

        size = (self.height, self.width)
        read = read_zones(zones, size)
        if self.calibration is None:
            return {zone.name: None for zone in read}
        pixels = np.outer(*(np.diff(edges(side)) for side in size))
        megapixels = self.height * self.width * self.scale**2 / 1e6  # of the picture as the network saw it
        ranges = {}
        for zone in read:
            inside = zone_shares(zone, size)
            share, people = float(np.sum(inside * pixels) / np.sum(pixels)), float(np.sum(inside * self.density))
            density = people / max(share * megapixels, 1e-6)
            details = (share, density, self.coverage or COVERAGE, self.kind)
            ends = self.calibration.zone_range(people, *details)
            if ends is not None and self.other is not None:
                # As the picture's range does, to as many times the people; where nobody is, to the zone's share.
                more = people * self.other / self.count if self.count else share * self.other
                farther = self.calibration.zone_range(more, *details)
                ends = ends if farther is None else (ends[0], max(ends[1], farther[1]))
            ranges[zone.name] = ends
        return ranges

    def per_square_meter(self, zones: ZoneSource, ground: ZoneSource | Ground) -> dict[str, float]:
        """How dense the crowd is on the ground of each of several zones.

        Args:
            zones: as for `zones`.
            ground: path of a JSON file with four points of known positions, its content, or a `ground.Ground`;
                see `ground.read_ground`. It holds for one position of the camera.

        Returns:
            Zone's name -> people per square meter; `ground.level_of_service` makes a letter of it.

        Raises:
            DataError: if zones or ground cannot be read or lie outside the picture, or a zone reaches the
                horizon.

        Example:
            >>> result = CountResult(64.0, np.ones((8, 8)), "square.jpg", 64, 64, "general", 0.1)
            >>> zones = [{"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}]
            >>> ground = {"points": [[0, 0, 0, 0], [64, 0, 8, 0], [64, 64, 8, 4], [0, 64, 0, 4]]}
            >>> {name: round(people, 6) for name, people in result.per_square_meter(zones, ground).items()}
            {'left': 2.0}
        """
        from crowdcount.area.ground import people_per_square_meter, read_ground
        from crowdcount.area.zone_files import read_zones

        zones = read_zones(zones)
        size = (self.height, self.width)
        return people_per_square_meter(self.zones(zones), zones, read_ground(ground), size)

    def heads(self) -> np.ndarray:
        """Approximate positions of as many heads as were counted; see `heads.find_heads` for how exact.

        Returns:
            float64 array (round(count), 2): x and y in pixels.
        """
        from crowdcount.counting.heads import find_heads

        return find_heads(self.density, (self.height, self.width))

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the picture with its density map over it, titled with the count.

        Args:
            axes: Matplotlib axes to draw on; without it a new figure of pyplot's.

        Returns:
            The axes.
        """
        from crowdcount.show.plots import plot_count

        return plot_count(
            self._picture(), self.density, title=repr(self), axes=axes, scale=self.scale, thing=self.thing
        )

    def overlay(
        self, *, style: str = "heat", zones: ZoneSource | None = None, longest_side: int | None = None
    ) -> np.ndarray:
        """The picture with its density map over it.

        Args:
            style: `"heat"`, colors that cover the crowd; `"contour"`, lines around places of equal density; or
                `"dots"`, one on each head (see `heads`). The last two leave the heads in sight.
            zones: zones to draw with their counts, as for `zones`; the picture is darkened outside them.
            longest_side: shrink the result so that no side is longer than this many pixels.

        Returns:
            uint8 RGB of the picture's size, or smaller by `longest_side`.

        Raises:
            DataError: if the zones cannot be used, there is no such style, or `longest_side` is below 1.
            PictureError: if the picture's file has gone meanwhile.

        Example:
            >>> picture = np.zeros((64, 96, 3), np.uint8)
            >>> result = CountResult(0.0, np.zeros((8, 12)), "night.jpg", 96, 64, "general", 0.1, source=picture)
            >>> result.overlay(style="dots").shape
            (64, 96, 3)
        """
        from crowdcount.show.overlays import STYLES, draw_contours, draw_dots
        from crowdcount.show.plots import overlay

        if style not in STYLES:
            raise DataError(f"style must be one of {', '.join(STYLES)}. Received: style={style!r}")
        if style == "heat":
            shown = overlay(self._picture(), self.density, longest_side=longest_side, scale=self.scale)
        else:
            picture = self._picture()
            dotted = style == "dots"
            marked = draw_dots(picture, self.heads()) if dotted else draw_contours(picture, self.density, self.scale)
            shown = overlay(marked, np.zeros_like(self.density), longest_side=longest_side)
        if zones is None:
            return shown
        from crowdcount.area.drawing import draw_zones
        from crowdcount.area.zone_files import read_zones

        named = read_zones(zones)
        drawn = [zone.drawn((self.height, self.width)) for zone in named]  # it may be shown smaller
        ranges = self.zone_ranges(named)
        told = {name: whole(people, *(ranges[name] or ())) for name, people in self.zones(named).items()}
        return draw_zones(shown, drawn, told)

    def save_overlay(self, path: str | os.PathLike, zones: ZoneSource | None = None, *, style: str = "heat") -> None:
        """Write the picture at its size with its density map over it, the count, its range and the color scale below.

        Args:
            path: the file to write; its suffix chooses the format (`.png`, `.jpg`, ...).
            zones, style: as for `overlay`.

        Raises:
            DataError: if the zones cannot be used, or there is no such style.
            PictureError: if the suffix is no picture format, the picture's file has gone meanwhile, or `path` is that
                file.
            OSError: if the file cannot be written.
        """
        from PIL import Image

        if self._is_from(path):
            raise PictureError(f"The overlay would replace its own picture, {os.fspath(path)}. Choose another file.")
        image = Image.fromarray(self._captioned(style=style, zones=zones))
        with atomic_path(path) as temporary:
            try:
                overlay_files.save(image, temporary)
            except (ValueError, KeyError) as error:  # Pillow: a suffix that it does not know or cannot write
                raise PictureError(f"{path} is no name for a picture. Let it end in .png or .jpg.") from error

    def __repr__(self) -> str:
        size = f"{self.width}x{self.height}"
        return f"{self._people()} in {self._label()} ({size}), model {self.model}, {self.seconds:.1f} s"

    def _repr_png_(self) -> tuple[bytes, dict[str, str]] | None:
        """What Jupyter shows: overlay, count, range and warnings, and their words for who cannot see it.

        None, and so text alone, where the picture has gone.
        """
        from PIL import Image

        try:
            shown = self._captioned(longest_side=_NOTEBOOK_SIDE)
        except PictureError:
            return None
        buffer = io.BytesIO()
        Image.fromarray(shown).save(buffer, format="PNG")
        return buffer.getvalue(), {"alt": f"Heat map over the picture: {self!r}"}

    def _is_from(self, path: str | os.PathLike) -> bool:
        """Whether this is the file that was counted."""
        with suppress(OSError, ValueError):  # a file that is not there, as most overlays; a name that is no path
            # A picture that came as an image or an open file may know its path.
            return os.path.samefile(path, self.source if isinstance(self.source, str) else self.picture)
        return False

    def _picture(self) -> np.ndarray:
        """The picture again; its file may have been replaced meanwhile."""
        picture = load_picture(self.source, page=self.page)  # type: ignore[arg-type]  # None is refused there
        if picture.shape[:2] != (self.height, self.width):
            raise PictureError(
                f"{self.picture} was {self.width}x{self.height} pixels when it was counted and is "
                f"{picture.shape[1]}x{picture.shape[0]} now. Has another picture taken its place?"
            )
        return picture

    def _captioned(
        self, *, style: str = "heat", zones: ZoneSource | None = None, longest_side: int | None = None
    ) -> np.ndarray:
        from crowdcount.show.overlays import color_scale
        from crowdcount.show.plots import add_caption

        shown = self.overlay(style=style, zones=zones, longest_side=longest_side)
        captioned = add_caption(shown, "\n".join([f"{self._people()} in {self._label()}", *self.warnings]))
        if style == "dots":
            return captioned
        return np.concatenate([captioned, color_scale(shown.shape[1], self.density, self.scale, self.thing)])

    def _people(self) -> str:
        text = f"about {amount(whole(self.count, self.low, self.high), self.thing)}"
        if self.low is None or self.high is None or self.coverage is None:
            return text
        return f"{text} ({span(self.low, self.high)}, {100 * self.coverage:.3g} % range)"

    def _label(self) -> str:
        return os.path.basename(self.picture)


@dataclass(frozen=True)
class CountFailure:
    """A picture that could not be counted: its path and the reason."""

    picture: str
    error: str

    def to_dict(self) -> dict:
        """Picture and error, see `CountResult.to_dict`."""
        return {"picture": self.picture, "error": self.error}

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())


def rounded_scale(scale: float) -> float:
    """A scale as JSON and CSV tell it.

    Example:
        >>> rounded_scale(0.254001)
        0.254
    """
    return round(float(scale), 4)
