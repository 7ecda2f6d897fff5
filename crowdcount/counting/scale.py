"""The size at which the network knows the heads: there a picture is counted, whatever the size of its file.

A network knows heads of the sizes that it learned from. Of larger ones it sees parts, and of smaller ones only where
many stand together. A photo of 12 megapixels shows the heads four times as large as the training pictures do if it was
taken from as near, and as large as they do if it was taken from four times as far: the size of the file does not tell.
What is counted at several sizes does: where heads are too small, many more are counted at twice the size. `Sizes` holds
the numbers that it takes, from the network's card; `benchmarks/scale.py` fits them and measures the rule.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from crowdcount.counting.doubts import fineness, nobody, sample_blocks
from crowdcount.counting.words import whole
from crowdcount.data.images import MAX_PIXELS
from crowdcount.errors import DataError, WeightsError
from crowdcount.grid import edges
from crowdcount.network.cards import model_card
from crowdcount.network.prediction import predict_density

if TYPE_CHECKING:
    import keras

LEAST, MOST = 1 / 16, 16.0
"""Between these lies a scale that is set by hand."""

# Added to counts before they are divided: of a handful of people one more or less says nothing of the size.
_FEW = 10.0
# A change by less than this share is told of no network, however seldom its counts change so.
_LITTLE = 0.1
# A picture whose sides are longer by no more than this factor is looked at as it is.
_SHORT = 1.2
# Training pictures enlarged to twice their sides are less fine; drawn crowds and most photos at their own size finer.
_SOFT = 0.55


@dataclass(frozen=True)
class Sizes:
    """What a network's card says of the sizes that it counts at.

    Args:
        pixels: of the training pictures: a larger picture is first looked at where it has so many.
        shrinks, grows: factors between which the counts of pictures that it has not learned from change when their
            sides are doubled to their own size, in nine of ten of them.

    Raises:
        WeightsError: if they are no such numbers.
    """

    pixels: float
    shrinks: float
    grows: float

    def __post_init__(self):
        given = (self.pixels, self.shrinks, self.grows)
        numbers = all(isinstance(value, (int, float)) and 0 < value < math.inf for value in given)
        if not numbers or self.pixels < 1 or self.shrinks > self.grows:
            raise WeightsError(
                "The sizes in the model card must be three numbers: pixels, 1 or more, and shrinks, above 0 and at "
                f"most grows. Received: {', '.join(map(repr, given))[:80]}. Take them out of the card, or get it again."
            )

    @classmethod
    def from_card(cls, card: Mapping) -> Sizes | None:
        """The sizes in a model card; None where it has none.

        Raises:
            WeightsError: if what the card has is no such thing.

        Example:
            >>> Sizes.from_card({"sizes": {"pixels": 786432, "shrinks": 0.7, "grows": 1.5}}).grows
            1.5
        """
        kept = card.get("sizes")
        if kept is None:
            return None
        try:
            return cls(kept["pixels"], kept["shrinks"], kept["grows"])
        except (TypeError, KeyError) as error:
            raise WeightsError(
                f"The sizes in the model card cannot be used ({error!r}). Take them out of the card, or get the card "
                "again."
            ) from None


@dataclass(frozen=True, eq=False)
class Look:
    """What the network sees of a picture at one size.

    Args:
        scale: sides of the picture that was counted, as a multiple of the picture's own.
        picture: the picture at that size, uint8 RGB.
        density: its density map, of its own grid.
    """

    scale: float
    picture: np.ndarray
    density: np.ndarray
    people: float = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "people", float(self.density.sum(dtype=np.float64)))


def sizes_of(model: str | os.PathLike | keras.Model) -> Sizes | None:
    """The sizes in a network's card.

    Args:
        model: name of a network that comes with the package, or a weight file.

    Returns:
        None where there are none: of weights of one's own, which know the heads at the size of the pictures that they
        learned from; of a `.keras` file; and of a `keras.Model`, which may have learned since its card was written.

    Raises:
        WeightsError: if there is no such network, or its card is damaged.
    """
    if not isinstance(model, (str, os.PathLike)) or os.fspath(model).endswith(".keras"):
        return None
    return Sizes.from_card(model_card(model).content)


def check_scale(scale: float) -> float:
    """A scale that is set by hand.

    Raises:
        DataError: if it is no number from 1/16 to 16.
    """
    number = isinstance(scale, Real) and not isinstance(scale, bool)  # NumPy's numbers are some, too
    if not number or not LEAST <= scale <= MOST:
        raise DataError(
            "scale must be a number from 1/16 to 16: 0.5 counts the picture at half its size. Received: "
            f"scale={scale!r}"
        )
    return float(scale)


def look(network: keras.Model, picture: np.ndarray, scale: float, *, progress: bool = False) -> Look:
    """Count a picture at so many times its size.

    Args:
        network: a network as `CSRNet` makes it.
        picture: uint8 RGB, shape (H, W, 3).
        scale: factor of its sides; no side becomes shorter than a pixel.
        progress: as for `predict_density`.

    Raises:
        DataError: if the picture would become too large to be opened.

    Example:
        >>> from crowdcount import CSRNet
        >>> look(CSRNet(width=1 / 16), np.zeros((64, 96, 3), np.uint8), 0.5).density.shape
        (4, 6)
    """
    if scale != 1:
        height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
        if height * width > MAX_PIXELS:
            raise DataError(
                f"At this scale the picture has {width} x {height} pixels, more than the limit of {MAX_PIXELS:,}. "
                f"Received: scale={scale:g}. Take a smaller one."
            )
        picture = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))
    return Look(scale, picture, predict_density(network, picture, progress=progress))


def on_grid(density: np.ndarray, counted: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Bring a density map of a resized picture onto the grid of the picture itself; the count stays.

    Each cell's people are spread evenly over what it covers, and fall to the cells there by their shares of it.

    Args:
        density: people a cell, shape (ceil(h / 8), ceil(w / 8)).
        counted: height and width at which the picture was counted, h and w.
        size: its own height and width, H and W.

    Returns:
        float32 (ceil(H / 8), ceil(W / 8)).

    Example:
        >>> on_grid(np.array([[4.0]], np.float32), (8, 8), (16, 16)).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    if counted == size:
        return density
    rows, columns = (_shares(*lengths) for lengths in zip(counted, size))
    return (rows @ density @ columns.T).astype(np.float32)


def _shares(counted: int, length: int) -> np.ndarray:
    """Share of each cell of the counted side, in the columns, that each cell of the picture's side covers."""
    cells, own = edges(counted) * (length / counted), edges(length)
    shared = np.minimum(own[1:, np.newaxis], cells[1:]) - np.maximum(own[:-1, np.newaxis], cells[:-1])
    return np.maximum(shared, 0) / np.diff(cells)


def search(
    network: keras.Model, picture: np.ndarray, sizes: Sizes, *, scale: float | None = None, progress: bool = False
) -> list[Look]:
    """Look at a picture at growing sizes until the network knows its heads.

    The second look is at the picture's own size or, of a larger one, at that of the training pictures; the first,
    at half of that, is to compare with. While the count grows from one look to the next by more than it does in
    validation pictures, heads are too small, and another look follows at twice the size, at most the picture's own; so
    it does where nobody is seen, for heads may be too small for even that. A look that sees fewer than the one before
    is one too many, and does not count. Where the second look is soft and sees fewer than the first, by more than in
    validation pictures, the file was enlarged or is out of focus: it shows no more than the first look, which counts.
    Nor does a further look count that is soft, where nobody was seen: what it adds is nobody either.

    Args:
        network: a network as `CSRNet` makes it.
        picture: uint8 RGB, shape (H, W, 3).
        sizes: from the network's card.
        scale: set by hand: the size of the second look, which is the last one.
        progress: as for `predict_density`.

    Returns:
        The last one is the count; a single one where the file was enlarged.

    Raises:
        DataError: if the picture would become too large to be opened.
    """
    height, width = picture.shape[:2]
    first = scale or _whole(math.sqrt(sizes.pixels / (height * width)))
    looks = [look(network, picture, each, progress=progress) for each in (first / 2, first)]
    if scale is None and growth(looks) < sizes.shrinks and _is_soft(looks[-1]):
        return looks[:1]
    while scale is None and looks[-1].scale < 1 and _too_small(looks, sizes):
        grew = growth(looks) > sizes.grows
        looks.append(look(network, picture, _whole(2 * looks[-1].scale), progress=progress))
        fewer = growth(looks) < 1 and not _empty(looks[-2])
        if fewer or not grew and _is_soft(looks[-1]):
            return looks[:-1]
    return looks


def _is_soft(seen: Look) -> bool:
    return fineness(sample_blocks(seen.picture)) < _SOFT


def _whole(scale: float) -> float:
    """A scale of at most 1, and 1 where it is so near that another look would not be worth its time."""
    return 1.0 if scale * _SHORT > 1 else scale


def _too_small(looks: Sequence[Look], sizes: Sizes) -> bool:
    return growth(looks) > sizes.grows or _empty(looks[-1])


def _empty(seen: Look) -> bool:
    return nobody(seen.density) is not None


def growth(looks: Sequence[Look]) -> float:
    """By which factor the count grows from the last look but one to the last; of very few people about 1."""
    before, last = looks[-2:]
    return (last.people + _FEW) / (before.people + _FEW)


def other_count(looks: Sequence[Look], sizes: Sizes | None) -> float | None:
    """How many people there may be too, where the sizes disagree; None where they agree.

    Where the count still grows at the last look, it is taken to grow once more by as much; where it falls by more than
    in validation pictures, the look before it counts as well. A tenth more or less is no disagreement.

    Args:
        looks: from `search`; of a single one there is nothing to compare.
        sizes: that it went by.
    """
    if sizes is None or len(looks) < 2:
        return None
    factor = growth(looks)
    if factor > max(sizes.grows, 1 + _LITTLE):
        return factor * looks[-1].people
    return looks[-2].people if factor < min(sizes.shrinks, 1 - _LITTLE) else None


def disagreement(people: float, other: float, low: float | None = None, high: float | None = None) -> str:
    """What is told where the sizes disagree.

    Args:
        people: the count.
        other: what it comes to at another size, see `other_count`.
        low, high: the range of the count, which reaches there; None where it has none.

    Example:
        >>> disagreement(203.2, 417.4, 46.0, 717.8)[:79]
        'Counted larger or smaller, the picture comes to about 420 people instead of 200'
    """
    return (
        f"Counted larger or smaller, the picture comes to about {whole(other, low, high)} people instead of "
        f"{whole(people, low, high)}: heads are smaller or larger than the network knows. Take "
        f"{'' if low is None else 'the range, or '}a picture from nearer or farther."
    )
