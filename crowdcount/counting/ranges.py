"""How far off a count may be: a range around it, from the counts of pictures whose truth is known.

Split-conformal prediction: how far the network was off on its validation pictures, as a share of what it
counted, says how far off it may be on a new picture of the same sort. Nothing is assumed of how the errors
are spread. Far, dense crowds are counted worse than near ones, and one range for both would be too narrow for the
first and too wide for the second: how much worse is learned from the same pictures, as a power of the density.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, cast

import numpy as np

from crowdcount.counting.kinds import Kind, Observation
from crowdcount.errors import DataError, WeightsError, first_line

if TYPE_CHECKING:
    import keras

COVERAGE = 0.9
"""Share of the ranges that hold the truth, unless another is asked for."""

# Errors grow with the count, but not down to nothing at zero. On 37 of ShanghaiTech's validation pictures the
# scores are about as large for small counts as for large ones with 30 added (rank correlation -0.1; with the
# square root of the count 0.2, with the plain error 0.4: ranges of small counts are far too wide then).
_OFFSET = 30.0
# Of a quarter of a picture.
_QUARTER_OFFSET = _OFFSET / 4
# Added to scores before their logarithm is taken: below a hundredth one count is as good as another.
_EXACT = 0.01
# People a megapixel that count as none: what densities are compared by is log(density + 10).
_SPARSE = 10.0
# A picture outside of all that were calibrated with, by as much as these lie apart, has a range of three times the
# width. They count as so far apart at least: in log(density + 10), fineness, and levels of 255.
_WIDER = 2.0
_LEAST_APART = (0.5, 0.1, 30.0)
# Part of a picture that a zone covers at least to have a range: half of the quarters that were calibrated with.
_SMALLEST_ZONE = 1 / 8


@dataclass(frozen=True, eq=False)
class Calibration:
    """Pictures with known counts, and the ranges that follow from what a network counted in them.

    The score of a picture is `|truth - count| / (count + 30)`: how far off the network was as a share of what
    it counted, with 30 people added, because errors are a share of a large count and a number of people at a
    small one. What score is usual at a density is a line through the n pictures: log(score + 0.01) by
    log(density + 10), density in people a megapixel. The range of a new count reaches as far to both sides as what is
    usual at its density, times the `ceil((n + 1) * coverage)`-th smallest ratio of a score to what is usual at its own
    picture's density. Where the kinds of the pictures are not known, the same score is usual everywhere.

    A picture denser or sparser, finer or softer, brighter or darker than all of them has a wider range, the wider the
    further outside it lies.

    Args:
        true: number of people in each picture.
        predicted: what the network counted in each.
        kinds: the kind of each picture; None in cards that do not know it.
        quarters: for each picture `true`, `predicted` and people a megapixel of its quarters, for ranges of zones.

    Raises:
        DataError: if these differ in length, are empty, negative or no finite numbers.

    Reference:
        Papadopoulos et al., "Inductive Confidence Machines for Regression", ECML 2002; Lei et al.,
        "Distribution-Free Predictive Inference for Regression", JASA 2018 (arXiv 1604.04173), theorem 2.2; for scores
        divided by what is usual, section 5.2 there. They keep pictures apart for that line; two numbers from many
        pictures change so little that `leave_one_out` holds what is asked for without.

    Example:
        >>> calibration = Calibration([100] * 9, [110] * 9)
        >>> [round(end) for end in calibration.range(200, 0.9)]
        [184, 216]
    """

    true: Sequence[float]
    predicted: Sequence[float]
    kinds: Sequence[Kind] | None = None
    quarters: Sequence[Sequence[Sequence[float]]] | None = None
    _scores: np.ndarray = field(init=False, repr=False)
    _features: np.ndarray = field(init=False, repr=False)
    _quarter_scores: np.ndarray = field(init=False, repr=False)
    _quarter_density: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        true, predicted = (np.asarray(values, float) for values in (self.true, self.predicted))
        if true.ndim != 1 or true.shape != predicted.shape or not true.size:
            raise DataError(
                "A calibration needs the true and the predicted count of at least one picture. "
                f"Received: shapes {true.shape} and {predicted.shape}"
            )
        _check_counts(np.stack([true, predicted]))
        object.__setattr__(self, "_scores", _scores(true, predicted, _OFFSET))
        if self.kinds is not None:
            features = np.array([_features(kind) for kind in self.kinds], float).reshape(-1, 3)
            if len(features) != len(true) or not np.isfinite(features).all():
                raise DataError(
                    f"Each of the {len(true)} pictures to calibrate with needs its kind, in finite numbers. "
                    f"Received: {len(features)} kinds"
                )
            object.__setattr__(self, "_features", features)
        if self.quarters is not None:
            quarters = np.asarray(self.quarters, float)
            if quarters.shape != (len(true), 4, 3):
                raise DataError(
                    f"Quarters of {len(true)} pictures have the shape ({len(true)}, 4, 3). Received: {quarters.shape}"
                )
            _check_counts(quarters)
            flat = quarters.reshape(-1, 3)
            object.__setattr__(self, "_quarter_scores", _scores(flat[:, 0], flat[:, 1], _QUARTER_OFFSET))
            object.__setattr__(self, "_quarter_density", np.log(flat[:, 2] + _SPARSE))

    @classmethod
    def of(cls, seen: Iterable[Observation]) -> Calibration:
        """The calibration that some observed pictures make.

        Raises:
            DataError: where there are none.
        """
        seen = list(seen)
        return cls(
            [each.true for each in seen],
            [each.predicted for each in seen],
            [each.kind for each in seen],
            [each.quarters for each in seen],
        )

    def __len__(self) -> int:
        return len(self._scores)

    def range(self, count: float, coverage: float = COVERAGE, kind: Kind | None = None) -> tuple[float, float]:
        """Where the truth lies with a probability of at least `coverage`, for pictures of the same sort.

        Args:
            count: what the network counted.
            coverage: between 0 and 1.
            kind: of the picture; without it all pictures of the calibration speak for it.

        Returns:
            (low, high); low is never below 0, and the count lies between them.

        Raises:
            DataError: for a coverage outside 0..1, or nearer to 1 than so few pictures can tell.
        """
        self._check(coverage)
        scores, usual, wider = self._scores, 1.0, 1.0
        if kind is not None and self.kinds is not None:
            features = _features(kind)
            scores, usual = _compared(scores, self._features[:, 0], features[0])
            wider = self._wider(features)
        reach = wider * usual * _quantile(scores, len(scores), coverage) * (count + _OFFSET)
        return max(0.0, count - reach), count + reach

    def zone_range(
        self, count: float, share: float, density: float, coverage: float = COVERAGE, kind: Kind | None = None
    ) -> tuple[float, float] | None:
        """Where the truth of a zone lies, from how far off the network was in quarters of pictures.

        Args:
            count: what the network counted in the zone.
            share: part of the picture's area that the zone covers.
            density: people a megapixel in the zone, as counted.
            coverage: between 0 and 1.
            kind: of the whole picture.

        Returns:
            (low, high); None where there is no ground for one: a zone of less than an eighth of the picture, or a
            calibration that knows no quarters.

        Raises:
            DataError: as for `range`.
        """
        self._check(coverage)
        if self.quarters is None or share < _SMALLEST_ZONE:
            return None
        scores, usual = _compared(self._quarter_scores, self._quarter_density, math.log(density + _SPARSE))
        wider = 1.0 if kind is None or self.kinds is None else self._wider(_features(kind))
        # Quarters of one picture are alike: four of them count as one.
        reach = wider * usual * _quantile(scores, len(self), coverage) * (count + _OFFSET * min(1.0, share))
        return max(0.0, count - reach), count + reach

    def without(self, number: int) -> Calibration:
        """The calibration of all pictures but one."""

        def others(values: Sequence) -> list:
            return [value for each, value in enumerate(values) if each != number]

        return Calibration(
            others(self.true),
            others(self.predicted),
            None if self.kinds is None else others(self.kinds),
            None if self.quarters is None else others(self.quarters),
        )

    @property
    def most(self) -> float:
        """The highest coverage that so many pictures carry: n of n + 1."""
        return len(self) / (len(self) + 1)

    def card(self) -> dict:
        """What a model card keeps: `Calibration.from_card` makes it a calibration again."""
        card: dict = {
            "pictures": len(self),
            "true": [round(float(value), 2) for value in self.true],
            "predicted": [round(float(value), 2) for value in self.predicted],
        }
        if self.kinds is not None:
            card["density"] = [round(kind.density, 1) for kind in self.kinds]
            card["fineness"] = [round(kind.fineness, 3) for kind in self.kinds]
            card["brightness"] = [round(kind.brightness, 1) for kind in self.kinds]
        if self.quarters is not None:
            card["quarters"] = [
                " ".join(f"{true:g}/{predicted:.1f}/{density:.0f}" for true, predicted, density in quarters)
                for quarters in self.quarters
            ]
        return card

    @classmethod
    def from_card(cls, card: Mapping) -> Calibration | None:
        """The calibration in a model card; None where it has none.

        Raises:
            WeightsError: if what the card has is no calibration.
        """
        kept = card.get("calibration")
        if kept is None:
            return None
        try:
            kinds = quarters = None
            if "density" in kept:
                columns = (kept["density"], kept["fineness"], kept["brightness"])
                kinds = [Kind(*map(float, each)) for each in zip(*columns, strict=True)]
            if "quarters" in kept:
                quarters = [[tuple(map(float, q.split("/"))) for q in text.split()] for text in kept["quarters"]]
            return cls(kept["true"], kept["predicted"], kinds, quarters)
        except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
            raise WeightsError(
                f"The calibration in the model card cannot be used ({first_line(error)}). Take it out of the card, or "
                "get the card again."
            ) from None

    def _check(self, coverage: float) -> None:
        check_coverage(coverage)
        if coverage > self.most:
            raise DataError(
                f"{len(self)} calibration pictures carry a coverage of at most {self.most:.3f}. "
                f"Received: coverage={coverage}. Ask for less."
            )

    def _wider(self, features: np.ndarray) -> float:
        """By what factor the range is wider of a picture that lies outside of all that were calibrated with."""
        low, high = self._features.min(axis=0), self._features.max(axis=0)
        outside = np.maximum(0, np.maximum(low - features, features - high))
        return 1 + _WIDER * float(np.sum(outside / np.maximum(high - low, _LEAST_APART)))


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


def check_coverage(coverage: float) -> float:
    """The coverage as a float; raises a DataError where it is no share between 0 and 1."""
    if not isinstance(coverage, Real) or not 0 < coverage < 1:
        raise DataError(f"coverage must lie between 0 and 1, as 0.9 for nine of ten. Received: coverage={coverage!r}")
    return float(coverage)


def leave_one_out(calibration: Calibration, coverage: float = COVERAGE) -> tuple[np.ndarray, np.ndarray]:
    """Calibrate on all pictures but one and try the range on that one, each in turn.

    Args:
        calibration: the pictures.
        coverage: what the ranges promise.

    Returns:
        Whether each picture's truth lay in its range, bool (n,), and the width of each range in people, (n,).

    Raises:
        DataError: where all but one are too few for the coverage.

    Example:
        >>> held, width = leave_one_out(Calibration([10, 20, 40] * 5, [11, 19, 44] * 5))
        >>> float(held.mean()), width.shape
        (1.0, (15,))
    """
    held, widths = [], []
    for number, (true, predicted) in enumerate(zip(calibration.true, calibration.predicted, strict=True)):
        kind = None if calibration.kinds is None else calibration.kinds[number]
        low, high = calibration.without(number).range(predicted, coverage, kind)
        held.append(low <= true <= high)
        widths.append(high - low)
    return np.array(held), np.array(widths)


def leave_one_out_zones(calibration: Calibration, coverage: float = COVERAGE) -> tuple[np.ndarray, np.ndarray]:
    """As `leave_one_out`, for the quarters of each picture: (n, 4) both.

    Raises:
        DataError: where all but one are too few for the coverage, or the calibration knows no quarters.
    """
    if calibration.quarters is None:
        raise DataError("The calibration knows no quarters of its pictures: measure it anew.")
    held, widths = [], []
    for number, quarters in enumerate(calibration.quarters):
        others = calibration.without(number)
        kind = None if calibration.kinds is None else calibration.kinds[number]
        found = (others.zone_range(counted, 0.25, density, coverage, kind) for _, counted, density in quarters)
        ends = cast("list[tuple[float, float]]", list(found))  # None is what a calibration without quarters says
        held.append([low <= true <= high for (true, _, _), (low, high) in zip(quarters, ends, strict=True)])
        widths.append([high - low for low, high in ends])
    return np.array(held), np.array(widths)


def sum_range(ranges: Iterable[tuple[float | None, float | None]]) -> tuple[float, float] | None:
    """The range of the sum of several counts: the sum of their lows to that of their highs.

    That is how wide it is if all are off in the same direction, as pictures of one camera are. If errors were
    independent it would be narrower; nothing says that they are.

    Args:
        ranges: (low, high) of each count.

    Returns:
        (low, high); None where one of them has no range.

    Example:
        >>> sum_range([(10, 20), (30, 45)])
        (40.0, 65.0)
    """
    ends = list(ranges)
    known = [(low, high) for low, high in ends if low is not None and high is not None]
    if not ends or len(known) < len(ends):
        return None
    return float(sum(low for low, _ in known)), float(sum(high for _, high in known))


def _features(kind: Kind) -> np.ndarray:
    """What kinds are compared by."""
    return np.array([math.log(max(0.0, kind.density) + _SPARSE), kind.fineness, kind.brightness])


def _scores(true: np.ndarray, predicted: np.ndarray, offset: float) -> np.ndarray:
    return np.abs(true - predicted) / (predicted + offset)


def _compared(scores: np.ndarray, density: np.ndarray, new: float) -> tuple[np.ndarray, float]:
    """The scores as multiples of what is usual at their densities, and what is usual at a new picture's.

    Usual is a line through log(score + 0.01) by the density, its slope a little nearer to 0 than that of least squares,
    as if one picture more were flat (ridge); it goes on level outside of the densities that are known.

    Args:
        scores: of the pictures, or of quarters.
        density: as in `_features`, of each.
        new: that of the new picture.
    """
    apart, logs = density - density.mean(), np.log(scores + _EXACT)
    spread = float(apart @ apart) * (1 + 1 / len(apart))
    slope = float(apart @ logs) / spread if spread > 0 else 0.0
    at = float(np.clip(new, density.min(), density.max())) - density.mean()
    level = logs.mean()
    return scores / np.exp(level + slope * apart), float(np.exp(level + slope * at))


def _quantile(scores: np.ndarray, pictures: int, coverage: float) -> float:
    """The smallest score that a share `coverage` of the scores, and of one more picture above all, does not exceed."""
    rank = math.ceil((pictures + 1) * coverage * len(scores) / pictures - 1e-9)  # 0.9 * 10 is a hair above 9
    rank = max(1, rank)  # the smallest score, however little is asked for
    return float(np.partition(scores, rank - 1)[rank - 1])


def _check_counts(counts: np.ndarray) -> None:
    if not (np.isfinite(counts).all() and counts.min() >= 0):
        raise DataError("Counts to calibrate with must be finite and not negative.")
