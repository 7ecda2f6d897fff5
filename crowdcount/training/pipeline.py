"""Samples in, batches out: what the trainer reads, made while it trains.

Every example is a pure function of the seed and its number in the run, so a run that is resumed reads exactly what an
uninterrupted one would have read, however many threads prepare it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from crowdcount.data.annotations import Sample
from crowdcount.data.density import DensityWarning, density_map
from crowdcount.data.regions import cell_shares
from crowdcount.errors import DataError
from crowdcount.grid import STRIDE
from crowdcount.training.nobody import draw_nothing, strew

if TYPE_CHECKING:
    from crowdcount.training.mining import HardPlaces
    from crowdcount.training.teacher import Lessons

# What stands where a picture is smaller than the crop: ImageNet's mean colour, which the model's normalization turns
# into the zeros that its convolutions pad with.
PADDING_COLOR = (124, 117, 104)


@dataclass(frozen=True)
class RandomCrops:
    """Square crops at random places, mirrored half of the time, optionally of other size, light, weather, sharpness.

    A place is drawn from the whole picture and moved inside: in a picture of three crops' height a row at the edge is
    shown half as often as one in the middle. Drawn from the crops that lie inside, it would be shown hardly ever, and
    far heads, which stand along the upper edge, would be counted too low.

    Attributes:
        size: side in pixels, a multiple of 8.
        per_picture: crops of each picture in an epoch.
        scale: smallest and largest factor by which the picture is resized before the crop; drawn evenly in the
            logarithm, so that halving is as likely as doubling.
        blank: share of the crops that show nothing (one color, or a run from one to another, with or without
            noise) and hold nobody. Without them a network counts some people on an empty wall: no picture of a
            crowd has taught it otherwise.
        gamma: smallest and largest exponent of the brightness, drawn evenly in the logarithm: below 1 is lighter.
        gray: share of the crops that lose their color.
        haze: largest share of a light gray that is mixed into the pixels; less is drawn more often.
        clutter: share of the crops over which scraps as small as far heads are strewn, thickly where the crop is blank.
            Without them a network counts confetti, leaves and litter.
        soft: share of the crops that look as from a cheap or far camera: shrunk to 0.45 to 1 of their size and
            enlarged again, then stored as a JPEG.
        turned: whether crops are turned by quarters, too: for things that have no upright, as cells.
    """

    size: int = 256
    per_picture: int = 1
    scale: tuple[float, float] = (1.0, 1.0)
    blank: float = 0.0
    gamma: tuple[float, float] = (1.0, 1.0)
    gray: float = 0.0
    haze: float = 0.0
    clutter: float = 0.0
    soft: float = 0.0
    turned: bool = False

    # Counts the ways in which places have been drawn: a run that began by an older one is not resumed by this one.
    drawn_by: ClassVar[int] = 3

    def __post_init__(self):
        if self.size < STRIDE or self.size % STRIDE:
            raise DataError(f"A crop's side must be a positive multiple of {STRIDE}. Received: size={self.size}")
        if self.per_picture < 1:
            raise DataError(f"A picture gives one crop or more. Received: per_picture={self.per_picture}")
        for name, ends in {"scale": self.scale, "gamma": self.gamma}.items():
            if np.shape(ends) != (2,) or not 0 < ends[0] <= ends[1]:
                raise DataError(f"`{name}` must be (smallest, largest), both positive. Received: {name}={ends}")
        for name, share in {"blank": self.blank, "haze": self.haze}.items():
            if not 0 <= share < 1:
                raise DataError(f"`{name}` is a share, from 0 to below 1. Received: {name}={share}")
        for name, share in {"gray": self.gray, "clutter": self.clutter, "soft": self.soft}.items():
            if not 0 <= share <= 1:
                raise DataError(f"`{name}` is a share, from 0 to 1. Received: {name}={share}")

    def place(
        self,
        number: int,
        height: int,
        width: int,
        seed: Sequence[int],
        epoch: int,
        around: tuple[float, float] | None = None,
    ) -> Place:
        """Where to cut from a picture of this size; `around` is a point (shares of its width and height) to show."""
        rng = np.random.default_rng([*seed, number, epoch])
        low, high = np.log(self.scale)
        factor = float(np.exp(rng.uniform(low, high)))
        height, width = max(1, round(height * factor)), max(1, round(width * factor))
        # Offsets are multiples of the stride: a cell of the crop's map is a cell of the picture's map.
        top, left = (
            STRIDE * self._offset(rng, side, None if around is None else around[axis])
            for side, axis in ((height, 1), (width, 0))
        )
        mirrored = bool(rng.random() < 0.5)
        blank = int(rng.integers(1, 2**31)) if rng.random() < self.blank else 0
        gamma = float(np.exp(rng.uniform(*np.log(self.gamma))))
        gray = bool(rng.random() < self.gray)
        haze = self.haze * float(rng.random()) ** 2, int(rng.integers(128, 256))
        clutter = int(rng.integers(1, 2**31)) if rng.random() < self.clutter else 0
        soft = int(rng.integers(1, 2**31)) if rng.random() < self.soft else 0
        turns = int(rng.integers(4)) if self.turned else 0
        side = self.size
        return Place(height, width, top, left, side, side, mirrored, blank, gamma, gray, haze, clutter, soft, turns)

    def _offset(self, rng: np.random.Generator, side: int, point: float | None) -> int:
        """Where a crop begins along one side of the picture, in cells.

        `point`, or one drawn from the whole side, comes to lie in the crop's middle half, or, near an edge, outside it.
        The last cell of a side that is no multiple of the stride reaches over the edge, in crops as in whole pictures.
        """
        last = -(-max(0, side - self.size) // STRIDE)
        point = float(rng.random()) if point is None else point
        first = round((point * side - rng.uniform(0.25, 0.75) * self.size) / STRIDE)
        return min(max(first, 0), last)


@dataclass(frozen=True)
class PaperPatches:
    """The paper's patches: nine of a quarter of the picture's area, each also mirrored (section 3.2.1).

    The first four are the picture's quarters, the other five lie at random, at the same places in every epoch.
    Pictures of different sizes give patches of different sizes: they train in batches of one.
    """

    per_picture: int = 18

    def place(self, number: int, height: int, width: int, seed: Sequence[int], epoch: int) -> Place:
        del epoch  # the paper cuts its patches once
        cells_high, cells_wide = max(1, height // 2 // STRIDE), max(1, width // 2 // STRIDE)
        last_top, last_left = max(0, height // STRIDE - cells_high), max(0, width // STRIDE - cells_wide)
        patch, mirrored = number % 9, number >= 9
        if patch < 4:
            top, left = (patch // 2) * last_top, (patch % 2) * last_left
        else:
            rng = np.random.default_rng([*seed, patch])
            top, left = int(rng.integers(0, last_top + 1)), int(rng.integers(0, last_left + 1))
        return Place(height, width, STRIDE * top, STRIDE * left, STRIDE * cells_high, STRIDE * cells_wide, mirrored)


@dataclass(frozen=True)
class Place:
    """Where an example lies: a box (pixels) in the picture as resized to `picture_height` x `picture_width`.

    With a `blank` other than 0 the example shows nothing instead, drawn with that seed. `gamma`, `gray` and `haze`
    (a share, and the level of the gray that is mixed in) change the light and the colors; a `clutter` other than 0 is
    the seed of scraps strewn over it all, one of `soft` that of how soft it is, see `RandomCrops`.
    `turns` quarters to the left come last; a place that is turned is square.
    """

    picture_height: int
    picture_width: int
    top: int
    left: int
    height: int
    width: int
    mirrored: bool
    blank: int = 0
    gamma: float = 1.0
    gray: bool = False
    haze: tuple[float, int] = (0.0, 255)
    clutter: int = 0
    soft: int = 0
    turns: int = 0

    def cut_picture(self, picture: np.ndarray) -> np.ndarray:
        """The example's pixels, uint8 (height, width, 3), from the whole picture, uint8 (H, W, 3)."""
        if self.blank:
            pixels = draw_nothing(self.height, self.width, self.blank)
            return strew(pixels, self.clutter, thickest=0.9) if self.clutter else pixels
        bottom = min(self.top + self.height, self.picture_height)
        right = min(self.left + self.width, self.picture_width)
        if picture.shape[:2] == (self.picture_height, self.picture_width):
            pixels = picture[self.top : bottom, self.left : right]
        else:
            down, across = picture.shape[0] / self.picture_height, picture.shape[1] / self.picture_width
            pixels = np.asarray(
                Image.fromarray(picture).resize(
                    (right - self.left, bottom - self.top),
                    Image.Resampling.BICUBIC,
                    box=(self.left * across, self.top * down, right * across, bottom * down),
                )
            )
        # Scraps lie on the scene, under the same light; few enough that most heads stay in sight.
        if self.clutter:
            pixels = strew(pixels, self.clutter, thickest=0.3)
        if self.gamma != 1 or self.haze[0]:
            pixels = _levels(self.gamma, *self.haze)[pixels]
        if self.gray:
            pixels = np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))
        if self.soft:
            pixels = _soften(pixels, self.soft)
        if pixels.shape[:2] != (self.height, self.width):
            whole = np.full((self.height, self.width, 3), PADDING_COLOR, np.uint8)
            whole[: pixels.shape[0], : pixels.shape[1]] = pixels
            pixels = whole
        return np.rot90(pixels[:, ::-1] if self.mirrored else pixels, self.turns)

    def cut_map(self, density: np.ndarray) -> np.ndarray:
        """The example's cells, float32 (height / 8, width / 8), from the resized picture's map at stride 8."""
        rows, columns = self.height // STRIDE, self.width // STRIDE
        top, left = self.top // STRIDE, self.left // STRIDE
        cells = density[top : top + rows, left : left + columns]
        whole = np.zeros((rows, columns), np.float32)
        if self.blank:
            return whole
        whole[: cells.shape[0], : cells.shape[1]] = cells
        return np.rot90(whole[:, ::-1] if self.mirrored else whole, self.turns)

    def cut_points(self, points: np.ndarray) -> np.ndarray:
        """The heads inside the box, (N, 2) x y in its pixels; `points` are in pixels of the resized picture."""
        if self.blank:
            return np.zeros((0, 2))
        inside = np.asarray(points, np.float64) - (self.left, self.top)
        inside = inside[np.all((inside >= 0) & (inside < (self.width, self.height)), axis=1)]
        if self.mirrored:
            inside = inside * (-1, 1) + (self.width, 0)
        for _ in range(self.turns):
            inside = inside[:, ::-1] * (1, -1) + (0, self.width)
        return inside


def _soften(pixels: np.ndarray, seed: int) -> np.ndarray:
    """The pixels as a cheap camera gives them: shrunk to 0.45 to 1 of their size and enlarged again, then as a JPEG."""
    rng = np.random.default_rng(seed)
    factor = float(np.exp(rng.uniform(np.log(0.45), 0.0)))
    height, width = pixels.shape[:2]
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = Image.fromarray(pixels).resize(small, Image.Resampling.BICUBIC)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    stored = io.BytesIO()
    image.save(stored, "JPEG", quality=int(rng.integers(20, 81)))
    return np.asarray(Image.open(stored).convert("RGB"))


def _levels(gamma: float, haze: float, gray: int) -> np.ndarray:
    """What each of the 256 levels becomes: moved by the exponent between black and white, then toward the gray."""
    levels = 255 * (np.arange(256) / 255) ** gamma
    return np.rint((1 - haze) * levels + haze * gray).astype(np.uint8)


def example(
    picture: np.ndarray,
    points: np.ndarray,
    place: Place,
    *,
    sigma: float | str = 15.0,
    target: str = "map",
    counted: np.ndarray | None = None,
    taught: Callable[[np.ndarray, tuple[int, int]], np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """One training example: the picture's and the target's pixels at the same place.

    The map is made for the whole picture and cut, as the network will be asked for it: a head just outside the
    crop still reaches in, and one at the crop's edge counts by the part that lies inside.

    Args:
        picture: uint8 RGB (H, W, 3).
        points: its heads in pixels, (N, 2), x then y.
        place: what to cut, see `RandomCrops.place`.
        sigma: kernel of the map in pixels of the resized picture, see `crowdcount.data.density.density_map`.
        target: `"map"`, or `"points"` for losses that take heads.
        counted: bool (H, W), where in the picture is counted; None for everywhere. Cells that lie outside for more
            than a half are NaN in the map: neither the target nor the loss knows them. The pixels stay.
        taught: makes the target of the annotation's map and the size of the resized picture, see
            `crowdcount.training.teacher.Lessons`; None for the annotation's map itself.

    Returns:
        uint8 (height, width, 3), and float32 (height / 8, width / 8, 1) or (N, 3) with x, y and 1 for each head.

    Raises:
        DataError: where points are asked for and only a part is counted.
    """
    pixels = place.cut_picture(picture)
    size = (place.picture_height, place.picture_width)
    scale = (size[1] / picture.shape[1], size[0] / picture.shape[0])
    # Where `density_map` puts heads outside; it would tell of them anew at each size.
    inside = np.clip(points * scale, 0, size[::-1])
    if target == "points":
        if counted is not None:
            raise DataError(
                "Heads as the target cannot leave out a region. Train on maps where a data set has regions."
            )
        # A head on the right or lower border belongs to the crops that end there.
        heads = place.cut_points(np.minimum(inside, np.nextafter(size[::-1], 0)))
        return pixels, np.concatenate([heads, np.ones((len(heads), 1))], axis=1).astype(np.float32)
    cells = density_map(inside, size, sigma=sigma, stride=STRIDE)
    if counted is not None:
        resized = np.asarray(Image.fromarray(counted).resize(size[::-1], Image.Resampling.NEAREST))
        cells = np.where(cell_shares(resized) < 0.5, np.float32(np.nan), cells)
    if taught is not None:
        cells = taught(cells, size)
    return pixels, place.cut_map(cells)[..., None]


class Examples:
    """The examples of a run, each by its number: what the feeders of all backends call.

    Epoch e holds `len(samples) * crops.per_picture` examples in an order of its own; see `epoch_steps`.

    Args:
        samples: what to train on.
        crops: `RandomCrops` or `PaperPatches`.
        sigma: kernel in pixels, `"adaptive"`, or a function that gives a sample's.
        target: `"map"` or `"points"`.
        seed: the same seed gives the same examples in the same order.
        hard: places, and the share of the examples that shows one of them, drawn by weight, in place of a crop of the
            picture whose turn it is. `RandomCrops` only.
        lessons: maps of a teacher that are a part of the target, see `crowdcount.training.teacher`.

    Raises:
        DataError: for no samples, or hard places with the paper's patches, which lie where the paper cuts them.

    Warns:
        DensityWarning: when an example is made of a picture with heads outside of it; once a picture.

    Example:
        >>> examples = Examples([Sample("a", np.zeros((64, 64, 3), np.uint8), [[20.0, 30.0]])], RandomCrops(32))
        >>> pixels, cells = examples(0)
        >>> pixels.shape, cells.shape
        ((32, 32, 3), (4, 4, 1))
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        crops: RandomCrops | PaperPatches,
        *,
        sigma: float | str | Callable[[Sample], float | str] = 15.0,
        target: str = "map",
        seed: int = 0,
        hard: tuple[HardPlaces, float] | None = None,
        lessons: Lessons | None = None,
    ):
        check_samples(samples)
        if hard is not None and not isinstance(crops, RandomCrops):
            raise DataError(
                f"Hard places are shown by RandomCrops. Received: crops={crops}, hard with a share of {hard[1]}"
            )
        self.samples, self.crops, self.sigma, self.target = samples, crops, sigma, target
        self.seed, self.hard, self.lessons = seed, hard, lessons
        self._per_epoch = len(samples) * crops.per_picture
        self._orders: dict[int, np.ndarray] = {}
        self._told: set[str] = set()

    def check_batch(self, batch: int) -> None:
        """Raise a DataError where a batch holds nothing, or examples that differ in size are to be put together."""
        if batch < 1:
            raise DataError(f"A batch holds one example or more. Received: batch={batch}")
        if batch > 1 and isinstance(self.crops, PaperPatches):
            raise DataError(f"The paper's patches differ in size and train in batches of one. Received: batch={batch}")

    def __call__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixels and target of the run's example of this number, see `example`. Threads may call it at once."""
        epoch, position = divmod(int(number), self._per_epoch)
        index, crop = divmod(int(self._order(epoch)[position]), self.crops.per_picture)
        key: tuple[int, ...] = (self.seed, index)
        options: dict[str, Any] = {}
        if self.hard is not None:
            places, share = self.hard
            rng = np.random.default_rng([self.seed, int(number), 1])
            if rng.random() < share:
                index, options["around"] = places.draw(rng)
                key = (self.seed, index, position)  # a place may be shown more than once an epoch, never the same way
        sample = self.samples[index]
        picture = sample.read()
        height, width = picture.shape[:2]
        self._tell_outside(sample, height, width)
        place = self.crops.place(crop, height, width, key, epoch, **options)
        kernel = self.sigma(sample) if callable(self.sigma) else self.sigma
        shown: dict[str, Any] = {"counted": sample.counted((height, width))}
        if self.lessons is not None:
            lessons = self.lessons
            shown["taught"] = lambda cells, size: lessons.mixed(sample.name, cells, (height, width), size)
        return example(picture, sample.points, place, sigma=kernel, target=self.target, **shown)

    def _tell_outside(self, sample: Sample, height: int, width: int) -> None:
        """Warn of heads outside the picture, once a picture."""
        outside = ((sample.points < 0) | (sample.points > (width, height))).any(axis=1).sum()
        if outside and sample.name not in self._told:
            self._told.add(sample.name)
            warnings.warn(
                f"{sample.name}: {outside} of {sample.count} heads lie outside the picture of width {width} and height "
                f"{height}. Each is counted at the nearest point of the border. `crowdcount check` says where.",
                DensityWarning,
                stacklevel=2,
            )

    def _order(self, epoch: int) -> np.ndarray:
        # Examples are made by several threads at once: each keeps what it returns, and takes away what may have gone.
        shuffled = self._orders.get(epoch)
        if shuffled is None:
            for old in [key for key in list(self._orders) if key < epoch - 1]:
                self._orders.pop(old, None)
            shuffled = self._orders[epoch] = np.random.default_rng([self.seed, epoch]).permutation(self._per_epoch)
        return shuffled


def training_dataset(
    samples: Sequence[Sample],
    crops: RandomCrops | PaperPatches,
    *,
    batch: int,
    sigma: float | str | Callable[[Sample], float | str] = 15.0,
    target: str = "map",
    seed: int = 0,
    first_example: int = 0,
    hard: tuple[HardPlaces, float] | None = None,
    lessons: Lessons | None = None,
    share: tuple[int, int] = (0, 1),
):
    """An endless `tf.data.Dataset` of batches (pictures, targets).

    Args:
        samples, crops, sigma, target, seed, hard, lessons: see `Examples`. Points are padded to the batch's most heads;
            the third column tells heads from padding.
        batch: examples a batch; 1 where examples differ in size.
        first_example: number of examples that an earlier part of this run has read.
        share: `(index, parts)` for one of several machines that read a part of each batch each.

    Returns:
        Batches of uint8 (batch / parts, height, width, 3) and float32 (batch / parts, height / 8, width / 8, 1) or
        (batch / parts, N, 3).

    Raises:
        DataError: as `Examples`, or for patches of different sizes in a batch of more than one, or a batch that cannot
            be shared evenly.
    """
    import tensorflow as tf

    examples = Examples(samples, crops, sigma=sigma, target=target, seed=seed, hard=hard, lessons=lessons)
    examples.check_batch(batch)
    index, parts = share
    if batch % parts:
        raise DataError(f"A batch cannot be shared evenly. Received: batch={batch}, parts={parts}")
    part = batch // parts

    def load(position):
        step, within = position // part, position % part
        number = first_example + step * batch + index * part + within
        pixels, wanted = tf.numpy_function(examples, [number], (tf.uint8, tf.float32))
        # A size that is known lets the layers be compiled for it.
        side = crops.size if isinstance(crops, RandomCrops) else None
        cells = None if side is None else side // STRIDE
        pixels.set_shape((side, side, 3))
        wanted.set_shape((cells, cells, 1) if target == "map" else (None, 3))
        return pixels, wanted

    positions = tf.data.Dataset.counter()
    loaded = positions.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = loaded.batch(part) if target == "map" else loaded.padded_batch(part)
    return batches.prefetch(4)


def check_samples(samples: Sequence[Sample]) -> None:
    """Raise a DataError where there are none."""
    if not samples:
        raise DataError("There is nothing to train on: the list of samples is empty.")


def epoch_steps(samples: Sequence[Sample], crops: RandomCrops | PaperPatches, batch: int) -> int:
    """Batches in an epoch, the last one filled from the next epoch."""
    return -(-len(samples) * crops.per_picture // batch)
