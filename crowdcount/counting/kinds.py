"""What kind of picture it is that was counted, as far as it tells how far off the count may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdcount.counting.doubts import brightness, fineness, sample_blocks
from crowdcount.grid import shares


@dataclass(frozen=True)
class Kind:
    """What a picture, or a zone of one, tells beside its count.

    Attributes:
        density: people a megapixel of where is counted, as counted: far crowds are dense, near ones are not.
        fineness: how fine its details are, see `crowdcount.counting.doubts.fineness`.
        brightness: what its brightest twentieth exceeds, 0 to 255.
    """

    density: float
    fineness: float
    brightness: float


@dataclass(frozen=True)
class Observation:
    """A picture whose truth is known: what a network counted in it, as a whole and in its quarters.

    Attributes:
        true, predicted: people in it.
        kind: of the whole picture.
        quarters: `true`, `predicted` and the people a megapixel of each of its quarters. The whole picture stands in
            for a quarter in less than half of which is counted: nobody can be wrong about nothing.
    """

    true: float
    predicted: float
    kind: Kind
    quarters: tuple[tuple[float, float, float], ...]


def kind_of(picture: np.ndarray, people: float) -> Kind:
    """The kind of a picture.

    Args:
        picture: uint8 RGB (H, W, 3).
        people: counted in it.

    Example:
        >>> round(kind_of(np.full((500, 400, 3), 200, np.uint8), 30.0).density)
        150
    """
    blocks = sample_blocks(picture)
    megapixels = picture.shape[0] * picture.shape[1] / 1e6
    return Kind(people / megapixels, fineness(blocks), brightness(blocks))


def observe(
    picture: np.ndarray, points: np.ndarray, density: np.ndarray, counted: np.ndarray | None = None
) -> Observation:
    """What is to be learned from one picture with known heads.

    Args:
        picture: uint8 RGB (H, W, 3).
        points: its heads, (N, 2), x then y in pixels.
        density: what the network saw: people a cell at stride 8, (ceil(H / 8), ceil(W / 8)).
        counted: bool (H, W), where is counted; points and density are of there. None for all of the picture.

    Example:
        >>> seen = observe(np.zeros((16, 16, 3), np.uint8), np.array([[1.0, 1.0]]), np.full((2, 2), 0.5))
        >>> seen.true, seen.predicted, [quarter[:2] for quarter in seen.quarters]
        (1.0, 2.0, [(1.0, 0.5), (0.0, 0.5), (0.0, 0.5), (0.0, 0.5)])
    """
    height, width = picture.shape[:2]
    people = float(np.sum(density, dtype=np.float64))
    seen = shares(height, 2) @ np.asarray(density, np.float64) @ shares(width, 2).T
    points = np.asarray(points, np.float64).reshape(-1, 2)
    heads = np.zeros((2, 2))
    np.add.at(heads, ((points[:, 1] * 2 >= height).astype(int), (points[:, 0] * 2 >= width).astype(int)), 1)
    parts = np.ones((2, 2))  # in what part of each quarter is counted
    if counted is not None:
        parts = 4 * shares(height, 2, 1) @ counted @ shares(width, 2, 1).T / counted.size
    kind = kind_of(picture, people / max(float(parts.mean()), 1e-9))
    megapixels = height * width / 4e6
    quarters = tuple(
        (float(true), float(found), float(found) / (megapixels * float(part)))
        if part >= 0.5
        else (float(len(points)), people, kind.density)
        for true, found, part in zip(heads.ravel(), seen.ravel(), parts.ravel(), strict=True)
    )
    return Observation(float(len(points)), people, kind, quarters)
