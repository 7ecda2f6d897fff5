"""How far off a count may be: a range around it, from the counts of pictures whose truth is known.

Split-conformal prediction: how far the network was off on its validation pictures, as a share of what it
counted, says how far off it may be on a new picture of the same sort. Nothing is assumed of how the errors
are spread.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crowdcount.errors import DataError, WeightsError

if TYPE_CHECKING:
    import keras

COVERAGE = 0.9
"""Share of the ranges that hold the truth, unless another is asked for."""

# Errors grow with the count, but not down to nothing at zero. On 37 of ShanghaiTech's validation pictures the
# scores are about as large for small counts as for large ones with 30 added (rank correlation -0.1; with the
# square root of the count 0.2, with the plain error 0.4: ranges of small counts are far too wide then).
_OFFSET = 30.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """Pictures with known counts, and the ranges that follow from what a network counted in them.

    The score of a picture is `|truth - count| / (count + 30)`: how far off the network was as a share of what
    it counted, with 30 people added, because errors are a share of a large count and a number of people at a
    small one. The range of a new count reaches as far to both sides as the `ceil((n + 1) * coverage)`-th
    smallest score of the n pictures.

    Args:
        true: number of people in each picture.
        predicted: what the network counted in each.

    Raises:
        DataError: if the two differ in length, are empty, negative or no finite numbers.

    Reference:
        Papadopoulos et al., "Inductive Confidence Machines for Regression", ECML 2002; Lei et al.,
        "Distribution-Free Predictive Inference for Regression", JASA 2018 (arXiv 1604.04173), theorem 2.2.

    Example:
        >>> calibration = Calibration([100] * 9, [110] * 9)
        >>> [round(end) for end in calibration.range(200, 0.9)]
        [184, 216]
    """

    true: Sequence[float]
    predicted: Sequence[float]

    def __post_init__(self):
        true, predicted = (np.asarray(values, float) for values in (self.true, self.predicted))
        if true.ndim != 1 or true.shape != predicted.shape or not true.size:
            raise DataError(
                "A calibration needs the true and the predicted count of at least one picture. "
                f"Received: shapes {true.shape} and {predicted.shape}"
            )
        if not (np.isfinite([true, predicted]).all() and min(true.min(), predicted.min()) >= 0):
            raise DataError("Counts to calibrate with must be finite and not negative.")
        object.__setattr__(self, "_scores", np.sort(_scores(true, predicted)))

    def __len__(self) -> int:
        return len(self._scores)

    def range(self, count: float, coverage: float = COVERAGE) -> tuple[float, float]:
        """Where the truth lies with a probability of at least `coverage`, for pictures of the same sort.

        Args:
            count: what the network counted.
            coverage: between 0 and 1.

        Returns:
            (low, high); low is never below 0, and the count lies between them.

        Raises:
            DataError: for a coverage outside 0..1, or nearer to 1 than so few pictures can tell.
        """
        check_coverage(coverage)
        if coverage > self.most:
            raise DataError(
                f"{len(self)} calibration pictures carry a coverage of at most {self.most:.3f}. "
                f"Received: coverage={coverage}. Ask for less."
            )
        rank = math.ceil((len(self) + 1) * coverage - 1e-9)  # 0.9 * 10 is a hair above 9
        reach = float(self._scores[rank - 1]) * (count + _OFFSET)
        return max(0.0, count - reach), count + reach

    @property
    def most(self) -> float:
        """The highest coverage that so many pictures carry: n of n + 1."""
        return len(self) / (len(self) + 1)

    def card(self) -> dict:
        """What a model card keeps: `Calibration.from_card` makes it a calibration again."""
        return {
            "pictures": len(self),
            "true": [round(float(value), 2) for value in self.true],
            "predicted": [round(float(value), 2) for value in self.predicted],
        }

    @classmethod
    def from_card(cls, card: dict) -> Calibration | None:
        """The calibration in a model card; None where it has none.

        Raises:
            WeightsError: if what the card has is no calibration.
        """
        kept = card.get("calibration")
        if kept is None:
            return None
        try:
            return cls(kept["true"], kept["predicted"])
        except (TypeError, KeyError, ValueError) as error:
            raise WeightsError(
                f"The calibration in the model card cannot be used ({error}). Take it out of the card, or "
                "get the card again."
            ) from None


def calibration_of(model: str | os.PathLike | keras.Model) -> Calibration | None:
    """The calibration in a network's card.

    Args:
        model: name of a network that comes with the package, or a weight file.

    Returns:
        None where there is none: weights trained without validation pictures, a `.keras` file, and a
        `keras.Model`, which may have learned since its card was written.

    Raises:
        WeightsError: if there is no such network, or its card is damaged.
    """
    from crowdcount.network.cards import model_card

    if not isinstance(model, (str, os.PathLike)) or os.fspath(model).endswith(".keras"):
        return None
    return Calibration.from_card(model_card(model).content)


def usable_calibration(model: str | os.PathLike | keras.Model, coverage: float) -> Calibration | None:
    """The calibration in a network's card, if it is there and carries this coverage.

    Raises:
        DataError: where `coverage` is no share between 0 and 1.
        WeightsError: as for `calibration_of`.
    """
    check_coverage(coverage)
    calibration = calibration_of(model)
    return calibration if calibration is not None and coverage <= calibration.most else None


def why_no_range(model: str | os.PathLike | keras.Model, coverage: float) -> str | None:
    """Why counts of this network have no range, in a sentence; None where they have one."""
    if usable_calibration(model, coverage) is not None:
        return None
    calibration = calibration_of(model)
    if calibration is not None:
        return (
            f"The counts have no range: {len(calibration)} calibration pictures carry a coverage of at most "
            f"{calibration.most:.3f}, asked for are {coverage:g}."
        )
    return (
        "The counts have no range: these weights hold no calibration. Training with validation pictures "
        "writes one into the card beside the weights."
    )


def check_coverage(coverage: float) -> None:
    """Raise a DataError where `coverage` is no share between 0 and 1."""
    if not 0 < coverage < 1:
        raise DataError(f"coverage must lie between 0 and 1, as 0.9 for nine of ten. Received: coverage={coverage!r}")


def cross_validate(
    true: Sequence[float],
    predicted: Sequence[float],
    coverage: float = COVERAGE,
    *,
    splits: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Calibrate on half of the pictures and try the ranges on the other half, many times.

    Args:
        true, predicted: counts of the pictures, see `Calibration`.
        coverage: what the ranges promise.
        splits: number of random halvings.
        seed: of the halvings.

    Returns:
        The share of the truths that lay in their ranges, and the mean width of the ranges in people.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> true = rng.uniform(10, 2000, 80)
        >>> held, width = cross_validate(true, true * rng.uniform(0.8, 1.3, 80), splits=200)
        >>> 0.85 < held < 0.95
        True
    """
    true, predicted = np.asarray(true, float), np.asarray(predicted, float)
    rng = np.random.default_rng(seed)
    held, widths = [], []
    for _ in range(splits):
        order = rng.permutation(len(true))
        chosen, tried = np.array_split(order, 2)
        calibration = Calibration(true[chosen], predicted[chosen])
        low, high = np.array([calibration.range(count, coverage) for count in predicted[tried]]).T
        held.append(np.mean((low <= true[tried]) & (true[tried] <= high)))
        widths.append(np.mean(high - low))
    return float(np.mean(held)), float(np.mean(widths))


def _scores(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.abs(true - predicted) / (predicted + _OFFSET)
