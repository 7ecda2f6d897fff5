"""How much an error measured on so many pictures says: its standard error, and differences between two networks.

An MAE over a few dozen pictures of crowds follows the two or three densest of them. Whoever chooses by it chooses by
these: compare on the same pictures, and look at the interval.
"""

from __future__ import annotations

import csv
import itertools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from crowdcount.errors import DataError
from crowdcount.files import as_cell
from crowdcount.measuring import metrics

_RESAMPLES = 10_000
_SEED = 1
# Draws from a few pictures hold no other sign where all of them have one, which chance alone brings about in 1 of 16
# times with five, in every other with two: no 95 %.
_FEWEST = 6
# Pictures of the draws that are measured at once.
_NUMBERS = 2**20

MEASURES = ("mae", "rmse", "nae", "log_ratio", "bias")


@dataclass(frozen=True)
class Difference:
    """A measure of one network minus that of another on the same pictures.

    Attributes:
        value: the difference; below 0 the first one's is smaller. Of `bias` it is that of the sizes, |bias|.
        low, high: ends of the 95 % interval; where 0 lies outside, the pictures tell the two apart. NaN where there are
            fewer than six, which tell nothing apart.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two networks on the same pictures.

    Attributes:
        pictures: how many.
        differences: the name of each measure (`MEASURES`) -> its `Difference`, the network minus the other.
        nearer: pictures in which the network's count is nearer to the truth.
        other_nearer: pictures in which the other's is.
    """

    pictures: int
    differences: dict[str, Difference]
    nearer: int
    other_nearer: int


def standard_errors(truth: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """Standard errors of the measures, as far as the pictures are a random choice of all such pictures.

    Args:
        truth: numbers of heads, one a picture, shape (P,).
        predicted: predicted counts, shape (P,).

    Returns:
        The name of each measure -> its standard error, in the measure's unit: the standard deviation of what each
        picture adds, by the square root of their number; for the RMSE by the delta method. NaN of a single picture.

    Raises:
        DataError: as for `crowdcount.measuring.metrics.mae`.

    Reference:
        Wasserman, All of Statistics, Springer 2004, sections 7.2 and 9.9.

    Example:
        >>> errors = standard_errors([10, 20, 30, 40], [12, 20, 28, 44])
        >>> round(errors["mae"], 3), round(errors["bias"], 3)
        (0.816, 1.291)
    """
    rmse = metrics.rmse(truth, predicted)  # checks both
    true, counted = np.asarray(truth, float), np.asarray(predicted, float)
    error = counted - true
    peopled = true > 0
    squared = _standard_error(np.square(error))
    return {
        "mae": _standard_error(np.abs(error)),
        "rmse": squared / (2 * rmse) if rmse else squared,
        "nae": _standard_error(np.abs(error)[peopled] / true[peopled]),
        "log_ratio": _standard_error(np.abs(metrics.log_ratios(true, counted))),
        "bias": _standard_error(error),
    }


def compare_counts(truth: ArrayLike, predicted: ArrayLike, other: ArrayLike) -> Comparison:
    """Which of two networks errs less on the same pictures, and how sure that is.

    The interval is a bootstrap's: 10,000 times as many pictures as there are are drawn from them, some more than once,
    and both networks are measured on the same draw. What both find hard drops out.

    Args:
        truth: numbers of heads, one a picture, shape (P,).
        predicted: the network's counts, shape (P,).
        other: the other's counts of the same pictures, shape (P,).

    Returns:
        A `Comparison`.

    Raises:
        DataError: as for `crowdcount.measuring.metrics.mae`.

    Reference:
        Efron and Tibshirani, An Introduction to the Bootstrap, Chapman & Hall 1993, chapter 13 (percentile intervals).

    Example:
        >>> compared = compare_counts(range(10, 70, 10), range(11, 71, 10), range(13, 73, 10))
        >>> compared.differences["mae"], compared.nearer
        (Difference(value=-2.0, low=-2.0, high=-2.0), 6)
    """
    metrics.mae(truth, predicted), metrics.mae(truth, other)  # check all three
    true, first, second = (np.asarray(values, float) for values in (truth, predicted, other))
    parts = [_apart(true, first, second, weights) for weights in _draws(len(true))]
    differences = {}
    for name in MEASURES:
        each = np.concatenate([part[name] for part in parts])
        value, resampled = each[0], each[1:][np.isfinite(each[1:])]  # a draw of empty pictures alone has no NAE
        told = resampled.size and len(true) >= _FEWEST
        low, high = np.percentile(resampled, [2.5, 97.5]) if told else (np.nan, np.nan)
        differences[name] = Difference(float(value), float(low), float(high))
    off, other_off = np.abs(first - true), np.abs(second - true)
    return Comparison(len(true), differences, int((off < other_off).sum()), int((other_off < off).sum()))


def read_counts(path: str | os.PathLike) -> dict[str, tuple[float, float]]:
    """True and predicted counts of each picture, from a table that `crowdcount evaluate --csv` wrote.

    Returns:
        The picture's name -> (true, predicted).

    Raises:
        DataError: where the file cannot be read or is another table.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
        counts = {row["picture"]: (float(row["true"]), float(row["predicted"])) for row in rows}
        if not rows:
            raise ValueError("it holds no picture")
        if len(counts) < len(rows):
            raise ValueError("two of its pictures have one name")
        if not all(map(math.isfinite, itertools.chain(*counts.values()))):
            raise ValueError("a count is no number")
        # A little below 0 regressions come to; the log ratio has no value from here on.
        below = [f"{picture!r} has {min(pair):g} heads" for picture, pair in counts.items() if min(pair) <= -10]
        if below:
            raise ValueError(below[0])
        return counts
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        why = f"it has no column {error}" if isinstance(error, KeyError) else error
        raise DataError(
            f"{path} is no table that crowdcount evaluate --csv has written ({why}). Name a model or such a table."
        ) from None


def counts_of(rows: Sequence[Mapping], table: Mapping[str, tuple[float, float]], where: str) -> list[float]:
    """A table's predicted counts in the order of an evaluation's rows.

    Args:
        rows: `picture` and `true` of each.
        table: see `read_counts`.
        where: what to call the table in a message.

    Raises:
        DataError: where a picture is missing in the table, or has another true count there.
    """
    table = check_names([row["picture"] for row in rows], table, where)
    for row in rows:
        if table[row["picture"]][0] != row["true"]:
            raise DataError(
                f"{where} was made from other annotations: {row['picture']!r} has {table[row['picture']][0]:g} heads "
                f"there, {row['true']:g} here."
            )
    return [table[row["picture"]][1] for row in rows]


def check_names(
    names: Sequence[str], table: Mapping[str, tuple[float, float]], where: str
) -> dict[str, tuple[float, float]]:
    """A table with the pictures named as they are, if all of them are in it.

    Args:
        names: of the pictures.
        table, where: as for `counts_of`.

    Raises:
        DataError: where a picture is missing.
    """
    # Tables name pictures so that no spreadsheet takes them for formulas.
    named = {**table, **{name: table[cell] for name in names if (cell := as_cell(name)) in table}}
    missing = [name for name in names if name not in named]
    if missing:
        raise DataError(
            f"{where} has no count of {len(missing)} of the {len(names)} pictures; the first is {missing[0]!r}. Make "
            "the table from the same data set and split."
        )
    return named


def _draws(pictures: int) -> Iterator[np.ndarray]:
    """How often each picture is in each draw, as a share of the draw, some draws (n, P) at a time; the first is of all.

    All at once would take gigabytes where a data set has thousands of frames.
    """
    rng, even = np.random.default_rng(_SEED), np.full(pictures, 1 / pictures)
    yield even[np.newaxis]
    step = max(1, _NUMBERS // pictures)
    for start in range(0, _RESAMPLES, step):
        yield rng.multinomial(pictures, even, size=min(step, _RESAMPLES - start)) / pictures


def _apart(true: np.ndarray, first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The sizes of the measures of the one less those of the other, as for `_measured`."""
    ours, theirs = _measured(true, first, weights), _measured(true, second, weights)
    return {name: np.abs(ours[name]) - np.abs(theirs[name]) for name in MEASURES}


def _measured(true: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Each measure over weighed pictures: (draws, P) weights whose rows sum to 1 give (draws,) values."""
    error, peopled = predicted - true, true > 0
    share = np.where(peopled, np.abs(error) / np.where(peopled, true, 1), 0)
    with np.errstate(invalid="ignore"):
        nae = weights @ share / (weights @ peopled)
    return {
        "mae": weights @ np.abs(error),
        "rmse": np.sqrt(weights @ np.square(error)),
        "nae": nae,
        "log_ratio": weights @ np.abs(metrics.log_ratios(true, predicted)),
        "bias": weights @ error,
    }


def _standard_error(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
