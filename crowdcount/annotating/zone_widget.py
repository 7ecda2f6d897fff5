"""Draw zones on a picture by mouse or keys, in a notebook: corners -> `Zone`s -> counts, or the file of `--zones`.

Zones are drawn by the scripts of `crowdcount app`, carried by anywidget: JupyterLab and Notebook 7 have anywidget's own
script once it is installed, VS Code and Colab fetch it from the network. Everything that the page sends is checked
here, by the same rules as a file of zones.
"""

from __future__ import annotations

import base64
import io
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from crowdcount.annotating.canvas import canvas_class
from crowdcount.area.drawing import draw_zones
from crowdcount.area.zone_files import ZoneSource, read_zones
from crowdcount.area.zones import Zone
from crowdcount.data.images import Source, load_picture
from crowdcount.errors import DataError
from crowdcount.files import atomic_path
from crowdcount.web.parts import texts

if TYPE_CHECKING:
    import anywidget

# Longest side, in pixels, of the picture that travels to the page; the zones are in pixels of the whole one.
_LONGEST_SIDE = 1600
# And of the one that stays in a saved notebook, for readers on the web.
_STILL_SIDE = 800


def select_zones(picture: Source, zones: ZoneSource | None = None) -> ZoneSelector:
    """Show a picture to draw zones on; for notebooks.

    Click the corners of a zone; a double click, a click on the first corner or Enter closes it. With the keys, arrows
    move cross hairs, Enter sets a corner, and Enter once more at the same place closes the zone. Its name stands below
    the picture and can be changed there. Then, in the next cell, count by the zones or keep them.

    Args:
        picture: a path, the bytes of a file, a file object, a PIL image or a NumPy array (see
            `images.load_picture`).
        zones: zones to begin with, as `zones.read_zones` takes them.

    Returns:
        What shows itself as the last line of a cell, and holds the zones.

    Raises:
        MissingPackageError: where anywidget is missing.
        PictureError: if the picture cannot be read.
        DataError: if `zones` cannot be read or lie outside the picture.

    Example:
        >>> selector = crowdcount.select_zones("square.jpg")  # doctest: +SKIP
        >>> selector  # draw  # doctest: +SKIP
        >>> crowdcount.count("square.jpg").zones(selector.zones)  # doctest: +SKIP
        {'stage': 412.3, 'fountain': 97.8}
        >>> selector.save("zones.json")  # doctest: +SKIP
    """
    return ZoneSelector(picture, zones)


class ZoneSelector:
    """A picture with the zones that are being drawn on it; `select_zones` makes it.

    Args:
        picture: see `select_zones`.
        zones: see `select_zones`.

    Attributes:
        size: (height, width) of the upright picture in pixels.
        widget: the Jupyter widget, to put it beside others.
    """

    def __init__(self, picture: Source, zones: ZoneSource | None = None):
        # Before the work of reading the picture.
        canvas = canvas_class(
            "Drawing zones", "zonewidget", picture="Bytes", size="List", shapes="List", problem="Unicode"
        )
        self._picture = load_picture(picture)
        self.size: tuple[int, int] = self._picture.shape[:2]
        begun = [] if zones is None else read_zones(zones, self.size)
        self.widget: anywidget.AnyWidget = canvas(
            texts=texts(),
            picture=_jpeg(self._picture),
            size=[self.size[1], self.size[0]],
            shapes=[_content(zone, self.size) for zone in begun],
        )
        self.widget.observe(self._tell_problem, "shapes")

    @property
    def zones(self) -> list[Zone]:
        """The zones as they are drawn now, in pixels; none before the first is closed.

        Raises:
            DataError: if a zone's border crosses itself, it has no area or no name, or two have one name.
        """
        shapes = self.widget.shapes
        if not shapes:
            return []
        return read_zones([self._zone(shape) for shape in shapes], self.size)

    def save(self, path: str | os.PathLike) -> None:
        """Write the zones as JSON, in pixels of this picture: the file that `--zones` and `read_zones` read.

        Args:
            path: the file to write.

        Raises:
            DataError: if there is no zone yet, or one is not as `zones` wants it; nothing is written.
            OSError: if the file cannot be written.
        """
        zones = self.zones
        if not zones:
            raise DataError("There is no zone to save yet. Draw one on the picture and close it.")
        height, width = self.size
        content = [{"unit": "pixels", "width": width, "height": height, **_content(zone, self.size)} for zone in zones]
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def __repr__(self) -> str:
        number = len(self.widget.shapes)
        return f"{number} {'zone' if number == 1 else 'zones'} on a picture of {self.size[1]}x{self.size[0]} pixels"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """What Jupyter shows: the widget; where there are no widgets, the picture with what was drawn."""
        shown = self.widget._repr_mimebundle_(**options)
        data, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        return {**data, "text/plain": repr(self), "image/jpeg": self._shown()}, metadata

    def _shown(self) -> str:
        try:
            zones = self.zones
        except DataError:
            zones = []
        shown = draw_zones(self._picture, zones) if zones else self._picture
        return base64.b64encode(_jpeg(shown, _STILL_SIDE)).decode("ascii")

    def _zone(self, shape: Any) -> Zone:
        if not isinstance(shape, dict) or "name" not in shape or "polygon" not in shape:
            raise DataError(f"The page sent something that is no zone: {shape!r:.80}. Run the cell again.")
        # Never fractions: a zone of a pixel or two at the upper left is just that, and refused as one.
        holes = shape.get("holes", ())
        return Zone(shape["name"], shape["polygon"], fractions=False, holes=holes, drawn_on=self.size)

    def _tell_problem(self, change: Any = None) -> None:
        try:
            _ = self.zones
        except DataError as error:
            self.widget.problem = str(error)
        else:
            self.widget.problem = ""


def _content(zone: Zone, size: tuple[int, int]) -> dict:
    """A zone as the page and a file of zones have it, in pixels; its holes cannot be changed on the page."""
    content: dict = {"name": zone.name, "polygon": zone.pixels(size).tolist()}
    return {**content, "holes": [hole.tolist() for hole in zone.hole_pixels(size)]} if zone.holes else content


def _jpeg(picture: np.ndarray, longest_side: int = _LONGEST_SIDE) -> bytes:
    image = Image.fromarray(picture)
    image.thumbnail((longest_side, longest_side))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=88)
    return buffer.getvalue()
