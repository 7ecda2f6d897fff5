"""Counting the people in pictures with a trained network: picture -> density map -> `CountResult`.

The network is loaded once a process and compiled once for every size of picture. Large pictures run in tiles
that overlap by more than the network can see, so that tiling changes memory and nothing else.
"""

from __future__ import annotations

import io
import os
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

import numpy as np

from crowdcount.density import STRIDE
from crowdcount.doubts import find_doubts
from crowdcount.errors import CrowdCountError, PictureError, WeightsError
from crowdcount.files import atomic_path
from crowdcount.images import Source, list_pictures, load_picture
from crowdcount.ranges import COVERAGE, Calibration, usable_calibration

if TYPE_CHECKING:
    import keras
    from matplotlib.axes import Axes

    from crowdcount.ground import Ground
    from crowdcount.zones import ZoneSource

# Above this many pixels a picture runs in tiles: the first layers at full resolution need about 0.8 GB a
# megapixel in float32, and a phone's 12 megapixels would not fit into a laptop. Full HD runs whole.
_WHOLE_PIXELS = 2_100_000
# A tile's own side in pixels: with what is read around it, 1.4 megapixels of design B.
_TILE = 896
# What is read around a tile of a network that cannot be measured: half the receptive field of the widest
# design (D: 476 pixels), rounded up to whole cells.
_MARGIN = 240

# Longest side, in pixels, of the picture that a notebook shows.
_NOTEBOOK_SIDE = 1024

_compiled: weakref.WeakKeyDictionary[keras.Model, Callable] = weakref.WeakKeyDictionary()


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

    def zones(self, zones: ZoneSource) -> dict[str, float]:
        """Count the people in each of several zones.

        Args:
            zones: path of a JSON file, its content, or a list of `zones.Zone`; see `zones.read_zones`.

        Returns:
            Zone's name -> people in it.

        Raises:
            DataError: if the zones cannot be read, are no simple polygons, or lie outside the picture.
        """
        from crowdcount.zones import count_zones, read_zones

        return count_zones(self.density, read_zones(zones), (self.height, self.width))

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
        from crowdcount.ground import people_per_square_meter, read_ground
        from crowdcount.zones import read_zones

        zones = read_zones(zones)
        size = (self.height, self.width)
        return people_per_square_meter(self.zones(zones), zones, read_ground(ground), size)

    def heads(self) -> np.ndarray:
        """Approximate positions of as many heads as were counted; see `heads.find_heads` for how exact.

        Returns:
            float64 array (round(count), 2): x and y in pixels.
        """
        from crowdcount.heads import find_heads

        return find_heads(self.density, (self.height, self.width))

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the picture with its density map over it, titled with the count.

        Args:
            axes: Matplotlib axes to draw on; without it a new figure of pyplot's.

        Returns:
            The axes.
        """
        from crowdcount.plots import plot_count

        return plot_count(load_picture(self.source), self.density, title=repr(self), axes=axes)

    def save_overlay(self, path: str | os.PathLike, zones: ZoneSource | None = None) -> None:
        """Write the picture at its size with its density map over it, the count and its range below.

        Args:
            path: the file to write; its suffix chooses the format (`.png`, `.jpg`, ...).
            zones: zones to draw with their counts, as for `zones`; the picture is darkened outside them.

        Raises:
            DataError: if the zones cannot be used.
            PictureError: if the suffix is no picture format, or the picture's file has gone meanwhile.
            OSError: if the file cannot be written.
        """
        from PIL import Image

        image = Image.fromarray(self._overlay(zones=zones))
        with atomic_path(path) as temporary:
            try:
                image.save(temporary)
            except (ValueError, KeyError) as error:  # Pillow: a suffix that it does not know or cannot write
                raise PictureError(f"{path} is no name for a picture. Let it end in .png or .jpg.") from error

    def __repr__(self) -> str:
        size = f"{self.width}x{self.height}"
        return f"{self._people()} in {self._label()} ({size}), model {self.model}, {self.seconds:.1f} s"

    def _repr_png_(self) -> bytes | None:
        """What Jupyter shows: overlay, count, range and warnings; text alone where the picture has gone."""
        from PIL import Image

        try:
            shown = self._overlay(_NOTEBOOK_SIDE)
        except PictureError:
            return None
        buffer = io.BytesIO()
        Image.fromarray(shown).save(buffer, format="PNG")
        return buffer.getvalue()

    def _overlay(self, longest_side: int | None = None, zones: ZoneSource | None = None) -> np.ndarray:
        from crowdcount.plots import add_caption, overlay

        shown = overlay(load_picture(self.source), self.density, longest_side=longest_side)
        if zones is not None:
            from crowdcount.zones import draw_zones, read_zones

            shown = draw_zones(shown, read_zones(zones), self.zones(zones))
        return add_caption(shown, "\n".join([f"{self._people()} in {self._label()}", *self.warnings]))

    def _people(self) -> str:
        people = round(self.count)
        text = f"about {people} {'person' if people == 1 else 'people'}"
        if self.low is None:
            return text
        return f"{text} ({round(self.low)} to {round(self.high)}, {100 * self.coverage:.3g} % range)"

    def _label(self) -> str:
        return os.path.basename(self.picture)


@dataclass(frozen=True)
class CountFailure:
    """A picture that could not be counted: its path and the reason."""

    picture: str
    error: str


Model = Union[str, os.PathLike, "keras.Model"]


def count(
    picture: Source | list | tuple,
    *,
    model: Model = "general",
    coverage: float = COVERAGE,
    progress: bool = True,
) -> CountResult | list[CountResult]:
    """Count the people in a picture, or in each picture of a list or folder.

    Args:
        picture: a path, the bytes of a file, a file object, a PIL image or a NumPy array (see
            `images.load_picture`); a list or tuple of these, of any sizes; or the path of a folder, whose
            pictures, and those of its subfolders, are counted in the order of their paths.
        model: name of a network that comes with the package, a `.weights.h5` file, or a `keras.Model` that
            maps (batch, height, width, 3) RGB, 0..255, to a density map at an eighth of the size.
        coverage: share of the ranges `low` to `high` that are to hold the truth. Ranges need the calibration
            in a model card: a `keras.Model` has none, nor have weights trained without validation pictures.
        progress: show a progress bar on the standard error, if that is a terminal, for a picture that is so
            large that it runs in tiles.

    Returns:
        A `CountResult`, or a list of them for a list or a folder.

    Raises:
        PictureError: if a picture cannot be read, or a folder holds none. Of a list or a folder no count is
            kept then: `count_many` goes on after a picture that fails.
        WeightsError: if there is no such network, or its file is damaged.
        DataError: if `coverage` is no share between 0 and 1.

    Example:
        >>> import crowdcount
        >>> model = crowdcount.CSRNet(width=1 / 16)
        >>> result = count(np.zeros((48, 80, 3), np.uint8), model=model)
        >>> result.density.shape, result.width, result.height
        ((6, 10), 80, 48)
    """
    if _is_folder(picture):
        sources: list = pictures_in(picture)
    elif isinstance(picture, (list, tuple)):
        sources = list(picture)
    else:
        return _Counter(model, coverage, progress)(picture)
    counter = _Counter(model, coverage, progress)
    return [counter(source) for source in sources]


def count_many(
    sources: Source | Iterable[Source],
    model: Model = "general",
    *,
    coverage: float = COVERAGE,
    progress: bool = True,
) -> Iterator[CountResult | CountFailure]:
    """Count picture after picture, going on after those that fail.

    Args:
        sources: pictures and paths of folders, as for `count`; or one of them.
        model, coverage, progress: as for `count`.

    Yields:
        For each picture, in order, a `CountResult`, or a `CountFailure` that says why there is none; a
        `CountFailure` for a folder without pictures.

    Raises:
        WeightsError: if there is no such network, or its file is damaged.
        DataError: if `coverage` is no share between 0 and 1.

    Example:
        >>> import crowdcount
        >>> model = crowdcount.CSRNet(width=1 / 16)
        >>> for result in count_many([np.zeros((48, 80, 3), np.uint8), b"no picture"], model):
        ...     print(type(result).__name__)
        CountResult
        CountFailure
    """
    counter = _Counter(model, coverage, progress)
    for source in expanded(listed(sources)):
        if isinstance(source, CountFailure):
            yield source
            continue
        try:
            yield counter(source)
        except MemoryError:
            yield CountFailure(_name_of(source), "There is not enough memory for this picture. Make it smaller.")
        except (CrowdCountError, OSError) as error:
            yield CountFailure(_name_of(source), str(error))


def listed(items: object) -> Iterable:
    """Several things to count as they are, a single one in a list.

    Example:
        >>> listed("march.jpg"), listed(("a.jpg", "b.jpg"))
        (['march.jpg'], ('a.jpg', 'b.jpg'))
    """
    # These can be gone through as well: by letters, bytes, lines and rows.
    single = isinstance(items, (str, bytes, bytearray, memoryview, os.PathLike, np.ndarray)) or hasattr(items, "read")
    single |= getattr(items, "ndim", 0) in (2, 3)  # a tensor; a column of paths has one axis, a batch of pictures four
    return [items] if single or not isinstance(items, Iterable) else items


def pictures_in(folder: str | os.PathLike, *, leave_out: Callable[[str], bool] | None = None) -> list[str]:
    """Paths of the pictures in a folder and its subfolders, sorted.

    Args:
        folder: the folder.
        leave_out: tells of a path whether it is to be left out.

    Returns:
        For each the folder as it was given, joined with the path in it.

    Raises:
        PictureError: if the folder cannot be read or holds no pictures.
    """
    paths = [
        os.path.join(os.fspath(folder), path.relative_to(folder)) for path in list_pictures(folder, recursive=True)
    ]
    paths = [path for path in paths if leave_out is None or not leave_out(path)]
    if not paths:
        raise PictureError(f"The folder {os.fspath(folder)!r} holds no pictures. Name a folder of JPEG or PNG files.")
    return paths


def expanded(
    sources: Iterable[Source], *, leave_out: Callable[[str], bool] | None = None
) -> Iterator[Source | CountFailure]:
    """The pictures, with those of a folder in its place; a `CountFailure` for a folder without pictures.

    Args:
        sources: pictures and paths of folders.
        leave_out: tells of a picture in a folder whether it is to be left out.
    """
    for source in sources:
        if not _is_folder(source):
            yield source
            continue
        try:
            yield from pictures_in(source, leave_out=leave_out)
        except PictureError as error:
            yield CountFailure(_name_of(source), str(error))


def load_network(model: Model) -> tuple[keras.Model, str]:
    """The network and its name: the name or path that was given, or the `keras.Model`'s own.

    Raises:
        WeightsError: if there is no such network, its file is damaged, or `model` is none of the three.
    """
    if isinstance(model, (str, os.PathLike)):
        from crowdcount.model_files import shared_model

        return shared_model(model), os.fspath(model)
    import keras

    if not isinstance(model, keras.Model):
        raise WeightsError(
            "A model is a name, the path of a weight file or a keras.Model. Received: "
            f"{type(model).__name__} {repr(model)[:80]}"
        )
    return model, model.name


def predict_density(model: keras.Model, picture: np.ndarray, *, progress: bool = False) -> np.ndarray:
    """Run the network over one picture of any size.

    The network is compiled at its first picture, for every size at once. A picture of more than 2.1
    megapixels runs in tiles that overlap by what the network can see, so that the map is the same to
    rounding. (Of a network with layers other than convolutions and poolings a receptive field of up to 480
    pixels is assumed.)

    Args:
        model: a network as `CSRNet` makes it.
        picture: uint8 RGB, shape (H, W, 3).
        progress: show a bar of the tiles on the standard error if that is a terminal.

    Returns:
        float32 density map (ceil(H / 8), ceil(W / 8)), people a cell.

    Raises:
        CrowdCountError: if the network gives numbers that are not finite.
    """
    height, width = picture.shape[:2]
    forward = _forward(model)
    if height * width <= _WHOLE_PIXELS:
        density = forward(picture)
    else:
        from tqdm import tqdm

        density = np.empty((-(-height // STRIDE), -(-width // STRIDE)), np.float32)
        margin = _margin(model)
        tiles = [(rows, columns) for rows in _spans(height, _TILE) for columns in _spans(width, _TILE)]
        hidden = not (progress and sys.stderr.isatty())
        for (top, bottom), (left, right) in tqdm(
            tiles, "large picture", unit="tile", leave=False, file=sys.stderr, disable=hidden
        ):
            y, x = max(0, top - margin), max(0, left - margin)
            seen = forward(picture[y : bottom + margin, x : right + margin])
            rows = slice(top // STRIDE, -(-bottom // STRIDE))
            columns = slice(left // STRIDE, -(-right // STRIDE))
            density[rows, columns] = seen[
                (top - y) // STRIDE : (top - y) // STRIDE + rows.stop - rows.start,
                (left - x) // STRIDE : (left - x) // STRIDE + columns.stop - columns.start,
            ]
    if not np.isfinite(density).all():
        raise CrowdCountError(
            f"The network {model.name!r} gave a density map with NaN or infinite values. "
            "Its weights are damaged, or its precision is too low: load it with precision='float32'."
        )
    return density


def _is_folder(source: Source) -> bool:
    return isinstance(source, (str, os.PathLike)) and os.path.isdir(source)


class _Counter:
    """A network with its calibration, loaded once, that turns pictures into results."""

    def __init__(self, model: Model, coverage: float, progress: bool):
        self.calibration: Calibration | None = usable_calibration(model, coverage)
        self.network, self.name = load_network(model)
        self.coverage, self.progress = coverage, progress

    def __call__(self, source: Source) -> CountResult:
        start = time.perf_counter()
        picture = load_picture(source)
        density = predict_density(self.network, picture, progress=self.progress)
        height, width = picture.shape[:2]
        people = float(density.sum(dtype=np.float64))
        low = high = coverage = None
        if self.calibration is not None:
            (low, high), coverage = self.calibration.range(people, self.coverage), self.coverage
        return CountResult(
            count=people,
            density=density,
            picture=_name_of(source),
            width=width,
            height=height,
            model=self.name,
            seconds=time.perf_counter() - start,
            warnings=find_doubts(picture, density),
            # A file is read again when it is shown: a folder's results would otherwise hold every picture in
            # memory.
            source=os.path.abspath(source) if isinstance(source, (str, os.PathLike)) else picture,
            low=low,
            high=high,
            coverage=coverage,
        )


def _name_of(source: Source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    # PIL images and file objects know their files; an open socket's name is a number.
    name = getattr(source, "filename", None) or getattr(source, "name", None)
    return name if isinstance(name, str) and name else "picture"


def _forward(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A function from one picture to its map, made once for each network.

    Raises:
        CrowdCountError: if the network's weights are not all finite. Its map need not show it: on some processors
            a ReLU makes 0 of NaN.
    """
    if model not in _compiled:
        if not all(np.isfinite(weights).all() for weights in model.get_weights()):
            raise CrowdCountError(
                f"The network {model.name!r} has weights that are NaN or infinite: it is damaged, or its training "
                "went wrong. Use other weights."
            )
        _compiled[model] = _compile(model)
    return _compiled[model]


def _compile(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    import keras

    network = weakref.ref(model)  # the cache must not keep alive what it is the cache of
    if keras.backend.backend() != "tensorflow":
        return lambda picture: network().predict_on_batch(picture[np.newaxis].astype(np.float32))[0, ..., 0]

    import tensorflow as tf

    # One graph for all sizes: `predict` would trace, and may compile, a new one for each, at seconds apiece.
    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3), tf.float32)], autograph=False)
    def graph(pictures):
        return network()(pictures, training=False)

    def forward(picture: np.ndarray) -> np.ndarray:
        try:
            return graph(tf.constant(picture[np.newaxis], tf.float32)).numpy()[0, ..., 0]
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(str(error)) from error

    return forward


def _margin(model: keras.Model) -> int:
    """Pixels around a tile that reach its cells: half the receptive field, rounded up to whole cells."""
    import keras

    seen, step = 1, 1
    for layer in model.layers:
        if isinstance(layer, (keras.layers.InputLayer, keras.layers.Rescaling)):
            continue
        if isinstance(layer, keras.layers.Conv2D):
            seen += (max(layer.kernel_size) - 1) * max(layer.dilation_rate) * step
        elif isinstance(layer, keras.layers.MaxPooling2D):
            seen += (max(layer.pool_size) - 1) * step
        else:
            return _MARGIN
        step *= max(layer.strides)
    return -(-seen // (2 * STRIDE)) * STRIDE


def _spans(length: int, longest: int) -> list[tuple[int, int]]:
    """Cut 0..length into equal spans of at most about `longest`, each but the last ending on a whole cell."""
    cells = -(-length // STRIDE)
    pieces = -(-length // longest)
    edges = [cells * piece // pieces * STRIDE for piece in range(pieces)] + [length]
    return list(zip(edges[:-1], edges[1:]))
