"""Hard places: where a network errs on the pictures it learns from, so that it can see more of them.

What is rare in the data, such as parked motorcycles in one picture of several hundred, lies in a crop at random only a
few times in a whole training. The network's errors say where to look.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from zipfile import BadZipFile

import keras
import numpy as np
from PIL import Image

from crowdcount.data.annotations import Sample
from crowdcount.data.density import density_map, sum_pool
from crowdcount.data.regions import cell_shares
from crowdcount.errors import TrainingError, first_line
from crowdcount.files import atomic_path
from crowdcount.grid import STRIDE
from crowdcount.network.prediction import predict_density
from crowdcount.progress import bar

# A quarter of the pixels is looked at. Where there is room between the heads, that is the picture with half its sides:
# errors lie in the same places. Where heads stand closer, they would be too small to count, and errors would lie
# wherever the crowd is dense: there it is a part of the picture at its own size.
_DENSE = 400  # heads in a megapixel
_SIDE = 128  # of a place, in pixels of the picture itself
_SIGMA = 8.0  # in pixels of the picture itself
# A picture has up to this share of all weight, where there are a hundred pictures (three times its part of fewer): the
# worst may have another's annotation.
_LARGEST_SHARE = 0.03


@dataclass(frozen=True)
class HardPlaces:
    """Places of pictures and how often each is to be drawn.

    Attributes:
        picture: number of each place's picture, (N,).
        center: its center, (N, 2): x and y as shares of the picture's width and height.
        weight: (N,), not negative, sum 1.
    """

    picture: np.ndarray
    center: np.ndarray
    weight: np.ndarray

    def draw(self, rng: np.random.Generator) -> tuple[int, tuple[float, float]]:
        """One of the places, by weight: the number of its picture, and its center.

        Example:
            >>> places = HardPlaces(np.array([4, 7]), np.array([[0.5, 0.5], [0.1, 0.9]]), np.array([0.0, 1.0]))
            >>> places.draw(np.random.default_rng(0))
            (7, (0.1, 0.9))
        """
        place = rng.choice(len(self.weight), p=self.weight)
        return int(self.picture[place]), (float(self.center[place, 0]), float(self.center[place, 1]))

    def save(self, path: str | os.PathLike) -> None:
        """Write an `.npz` file.

        Raises:
            OSError: if it cannot be written.
        """
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, picture=self.picture, center=self.center, weight=self.weight)


def load_hard_places(path: str | os.PathLike, pictures: int) -> HardPlaces:
    """Read what `HardPlaces.save` wrote.

    Raises:
        TrainingError: where it is missing, damaged, or not of so many pictures.
    """
    try:
        with np.load(path) as arrays:
            places = HardPlaces(arrays["picture"], arrays["center"], arrays["weight"])
        fits = len(places.picture) == len(places.center) == len(places.weight) and places.picture.max() < pictures
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise TrainingError(
            f"The run's hard places cannot be read from {path} ({first_line(error)}). Begin the run anew in "
            "another folder."
        ) from None
    if not fits:
        raise TrainingError(f"{path} is not of these {pictures} pictures. Begin the run anew in another folder.")
    return places


def find_hard_places(network: keras.Model, samples: Sequence[Sample]) -> HardPlaces:
    """Where a network errs, weighed by how little the number of heads excuses it.

    Each picture is divided into squares of 128 pixels; of a dense crowd a quarter of the picture, drawn at random. The
    weight of a square is `(predicted - true)^2 / (true + 1)`, Pearson's chi squared with one head added: 15 too many on
    empty ground weigh more than 30 too few of 300. A picture has no more than three hundredths of all weight (three
    times its part, of fewer than a hundred): where the network errs most, it may be right and the annotation wrong.

    Args:
        network: from a picture to a density map, trained.
        samples: the pictures that it learns from.

    Returns:
        `HardPlaces`; where the network never errs, all places weigh the same.

    Raises:
        TrainingError: if there are no samples.
        PictureError: if a picture cannot be read.

    Example:
        >>> from crowdcount.network.csrnet import CSRNet
        >>> sample = Sample("empty", np.zeros((300, 200, 3), np.uint8), [])
        >>> len(find_hard_places(CSRNet(width=1 / 64), [sample]).weight)
        6
    """
    if not samples:
        raise TrainingError("No pictures to look for hard places in. Received: no samples")
    pictures, centers, weights = [], [], []
    for number, sample in enumerate(bar(samples, "picture", "hard places", log=True)):
        picture = sample.read()
        counted = sample.counted(picture.shape[:2])
        true, predicted, corner = _look(network, picture, sample.points, counted, np.random.default_rng(number))
        weight = (predicted - true) ** 2 / (true + 1)
        down, across = np.mgrid[: weight.shape[0], : weight.shape[1]]
        center = (corner + (np.stack([across, down], axis=-1) + 0.5) * _SIDE) / (picture.shape[1], picture.shape[0])
        pictures.append(np.full(weight.size, number))
        centers.append(np.minimum(center.reshape(-1, 2), 1))  # the last squares may reach over the edge
        weights.append(weight.ravel())
    weight = np.concatenate(weights).astype(np.float64)
    if not weight.sum() > 0:
        weight = np.ones_like(weight)
    picture = np.concatenate(pictures)
    weight = limited(weight, picture, max(_LARGEST_SHARE, 3 / len(samples)))
    return HardPlaces(picture, np.concatenate(centers), weight)


def limited(weight: np.ndarray, picture: np.ndarray, most: float) -> np.ndarray:
    """The weights with sum 1, and no picture's above `most` where enough pictures have some."""
    weight = weight / weight.sum()
    # What is taken from one raises the shares of all. Where too few err to stay below it, those few get equal shares.
    for _ in range(100):
        shares = np.bincount(picture, weight)
        if shares.max() <= most * (1 + 1e-6):
            break
        weight = weight * np.minimum(1, most / np.maximum(shares, most))[picture]
        weight /= weight.sum()
    return weight


def _look(
    network: keras.Model,
    picture: np.ndarray,
    points: np.ndarray,
    counted: np.ndarray | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """People in each square of a picture, annotated and predicted, and x and y of the first square's corner."""
    height, width = picture.shape[:2]
    if len(points) <= _DENSE * height * width / 1e6:
        shrink, left, top = 2, 0, 0
        seen = np.asarray(Image.fromarray(picture).reduce(shrink))
        true = density_map(points / shrink, seen.shape[:2], sigma=_SIGMA / shrink, stride=STRIDE)
        inside = None if counted is None else cell_shares(counted[::shrink, ::shrink])
    else:
        shrink = 1
        left, top = (STRIDE * int(rng.integers(0, side // 2 // STRIDE + 1)) for side in (width, height))
        rows, columns = (max(1, side // 2 // STRIDE) for side in (height, width))
        seen = picture[top : top + rows * STRIDE, left : left + columns * STRIDE]
        # The map is made for the whole picture and cut, as it is in training.
        true = density_map(points, (height, width), sigma=_SIGMA, stride=STRIDE)
        true = true[top // STRIDE :, left // STRIDE :][:rows, :columns]
        inside = None if counted is None else cell_shares(counted)[top // STRIDE :, left // STRIDE :][:rows, :columns]
    cells = _SIDE // shrink // STRIDE
    predicted = predict_density(network, seen)
    if inside is not None:  # outside a region of interest nothing is known
        true, predicted = true * inside, predicted * inside
    return sum_pool(true, cells), sum_pool(predicted, cells), (left, top)
