"""Scoring a network on annotated pictures.

Counts are scored against the number of head annotations, whole pictures at their own size, nothing cropped or
shrunk. Where a data set has regions of interest, or boxes to ignore, only what lies inside and outside of them is
counted, in the truth and in the map.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from crowdcount.counting.doubts import carries_range, find_doubts
from crowdcount.counting.kinds import Observation, observe
from crowdcount.counting.ranges import COVERAGE, usable_calibration
from crowdcount.data.annotations import Sample, listed_samples
from crowdcount.data.checking import check_readable
from crowdcount.data.density import density_map, paper_sigma
from crowdcount.data.regions import within
from crowdcount.errors import DataError
from crowdcount.files import as_cell, atomic_path
from crowdcount.grid import STRIDE, edges
from crowdcount.measuring import metrics, uncertainty
from crowdcount.network.loading import Model, load_network
from crowdcount.network.prediction import predict_density
from crowdcount.progress import bar

_GAME_LEVELS = (0, 1, 2, 3)


@dataclass(frozen=True)
class Evaluation:
    """How a network did on a data set.

    Args:
        pictures: number of pictures.
        mae: mean absolute error of the counts, in heads.
        rmse: root mean squared error of the counts (the literature's tables call it "MSE").
        nae: mean absolute error as a share of the true count, over the pictures with heads; NaN if none has.
        log_ratio: mean of |log((predicted + 10) / (true + 10))|: by what factor counts are off, each picture with the
            same say. Of two networks the one with less of it is the better, see `metrics.log_ratio`.
        bias: mean of predicted minus true: negative where the network counts too few.
        standard_error: of `mae`, `rmse`, `nae`, `log_ratio` and `bias`: how far chance in the choice of pictures moves
            each, see `uncertainty.standard_errors`.
        game: grid average mean absolute error at levels 0 to 3; level 0 is the MAE.
        psnr: mean peak signal-to-noise ratio of the maps in decibels over the pictures with heads, or None.
        ssim: mean structural similarity of the maps over the pictures with heads, or None.
        seconds: time for all pictures, reading and scoring included.
        rows: for each picture `picture`, `true`, `predicted`, `error` (predicted minus true), `game1`,
            `game2`, `game3`, `low`, `high` (None where the network has no calibration, and of dark, blurred and
            other pictures that have no range).
        observed: what a calibration of ranges can be made from, see `crowdcount.counting.ranges.Calibration.of`.
        coverage: share of the true counts that lie between `low` and `high`, where there are ranges, or None. On the
            pictures that the network was calibrated with it says nothing: it is what was asked for.
        mean_width: mean of `high` minus `low` in people, or None.
        against: this network beside another on the same pictures, or None.
        parts: where several data sets were evaluated, each one's own `Evaluation` by its name.
        by_label: the pictures apart by what the data set says of them, as `by_label["weather"]["fog"]`, each with
            `pictures`, `mae` and `rmse`; empty where it says nothing.
    """

    pictures: int
    mae: float
    rmse: float
    nae: float
    log_ratio: float
    bias: float
    standard_error: dict[str, float]
    game: list[float]
    psnr: float | None
    ssim: float | None
    seconds: float
    rows: list[dict]
    observed: list[Observation]
    coverage: float | None = None
    mean_width: float | None = None
    against: uncertainty.Comparison | None = None
    parts: dict[str, Evaluation] = field(default_factory=dict)
    by_label: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def save_csv(self, path: str | os.PathLike) -> None:
        """Write `rows` as CSV, a line a picture.

        Raises:
            OSError: if the file cannot be written.
        """
        with (
            atomic_path(path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows({**row, "picture": as_cell(row["picture"])} for row in self.rows)


def evaluate(
    model: Model,
    samples: Sequence[Sample] | Mapping[str, Sequence[Sample]],
    *,
    against: Model | None = None,
    maps: bool = False,
    sigma: float | str | Callable[[Sample], float | str] = paper_sigma,
    tta: bool = False,
    coverage: float = COVERAGE,
    progress: bool = True,
) -> Evaluation:
    """Score a network on annotated pictures.

    Args:
        model: name of a network that comes with the package, a `.weights.h5` file, or a `keras.Model`.
        samples: the pictures with their head annotations; or several such lists by name, which are scored each
            apart, too. A sample that is in a list more than once, as of `load_dataset("NAME*2")`, is scored once.
        against: what to compare the network with: another network, or a table that `Evaluation.save_csv` (`crowdcount
            evaluate --csv`) has written from the same pictures.
        maps: compare the density maps too, by PSNR and SSIM.
        sigma: kernel of the true maps, as for `density_map`, or a function that gives a sample's.
        tta: test-time augmentation: take the mean of the maps of each picture and of its mirror image, at twice
            the time. The ranges stay those that the network was calibrated for without it.
        coverage: share of the ranges that are to hold the truth, as for `count`.
        progress: show a bar of the pictures, on a terminal and in a notebook.

    Returns:
        An `Evaluation`.

    Raises:
        DataError: if these are no samples or none, `coverage` is no share between 0 and 1, or the table `against` is
            not of these pictures, or cannot tell them apart: two have one name.
        PictureError: if pictures cannot be read, before any is counted.
        WeightsError: if there is no such network, or its file is damaged.

    Reference:
        Li, Zhang, Chen, "CSRNet", CVPR 2018, section 4.2 (arXiv 1802.10062) for PSNR and SSIM;
        Guerrero-Gómez-Olmedo et al., "Extremely Overlapping Vehicle Counting", IbPRIA 2015, for GAME.

    Example:
        >>> from crowdcount.network.csrnet import CSRNet
        >>> empty = Sample("empty", np.zeros((32, 32, 3), np.uint8), [])
        >>> result = evaluate(CSRNet(width=1 / 16), [empty])
        >>> result.pictures, result.mae == result.rows[0]["predicted"]
        (1, True)
    """
    given = samples if isinstance(samples, Mapping) else {"": samples}
    # What is shown twice in training says nothing more here: the standard errors would be too small.
    groups = {name: list(dict.fromkeys(listed_samples(group))) for name, group in given.items()}
    if not groups or not all(groups.values()):
        raise DataError("There are no pictures to evaluate. Received: an empty list of samples")
    file = os.fspath(against) if isinstance(against, (str, os.PathLike)) else ""
    table = uncertainty.read_counts(file) if file.lower().endswith(".csv") else None
    # All this before hours of counting.
    if table is not None:
        _refuse_shared_names(groups)
        for group in groups.values():
            uncertainty.check_names([sample.name for sample in group], table, file)
    for each in (model, None if table is not None else against):
        if each is not None:
            load_network(each)
    check_readable([sample for group in groups.values() for sample in group], progress=progress)
    options: dict[str, Any] = {"sigma": sigma, "tta": tta, "progress": progress}
    scored = {name: _score(model, group, maps=maps, coverage=coverage, **options) for name, group in groups.items()}
    theirs: dict[str, list[float]] = {}
    if table is not None:
        theirs = {name: uncertainty.counts_of(each.rows, table, file) for name, each in scored.items()}
    elif against is not None:  # by their order: pictures of different folders may have one name
        theirs = {
            name: [row["predicted"] for row in _score(against, group, maps=False, coverage=coverage, **options).rows]
            for name, group in groups.items()
        }
    parts = {name: _summary([each], theirs.get(name)) for name, each in scored.items()}
    whole = _summary(list(scored.values()), [count for counts in theirs.values() for count in counts])
    return whole if len(parts) == 1 else replace(whole, parts=parts)


def _refuse_shared_names(groups: Mapping[str, Sequence[Sample]]) -> None:
    """A table knows pictures by their names alone: the count of one would be taken for another of the same name."""
    named: dict[str, Sample] = {}
    for name, group in groups.items():
        for sample in group:
            other = named.setdefault(sample.name, sample).picture
            # The very picture may be in several groups, as in that of all and in that of the nights.
            if other is not sample.picture and not (isinstance(other, Path) and other == sample.picture):
                where = f", one of them in {name!r}" if name else ""
                raise DataError(
                    f"Two different pictures are called {sample.name!r}{where}: a table tells pictures by their names. "
                    "Compare with the model itself, or evaluate the folders one by one, each with a table of its own."
                )


@dataclass(frozen=True)
class _Scored:
    """What was measured in each of some pictures."""

    samples: Sequence[Sample]
    rows: list[dict]
    games: list[list[float]]
    maps: list[tuple[float, float]]
    observed: list[Observation]
    seconds: float


def _score(
    model: Model,
    samples: Sequence[Sample],
    *,
    maps: bool,
    sigma: float | str | Callable[[Sample], float | str],
    tta: bool,
    coverage: float,
    progress: bool,
) -> _Scored:
    """Run a network over pictures; arguments as for `evaluate`."""
    calibration = usable_calibration(model, coverage)
    network, _ = load_network(model)
    start = time.perf_counter()
    rows, games, map_scores, observed = [], [], [], []
    for sample in bar(samples, "picture", wanted=progress):
        picture = sample.read()
        size = picture.shape[:2]
        density = predict_density(network, picture)
        if tta:
            mirrored = predict_density(network, picture[:, ::-1])
            density = (density + mirrored_back(mirrored, size[1])) / 2
        doubts = find_doubts(picture, density)  # of the whole picture, as they are when it is counted
        counted = sample.counted(size)
        density, heads = within(counted, density, sample.points)
        game = [metrics.game(density, heads, size, level) for level in _GAME_LEVELS]
        predicted = float(density.sum(dtype=np.float64))
        seen = observe(picture, heads, density, counted)
        low = high = None
        if calibration is not None and carries_range(doubts):
            low, high = calibration.range(predicted, coverage, seen.kind)
        observed.append(seen)
        games.append(game)
        rows.append(
            {
                "picture": sample.name,
                "true": len(heads),
                "predicted": predicted,
                "error": predicted - len(heads),
                **{f"game{level}": game[level] for level in _GAME_LEVELS[1:]},
                "low": low,
                "high": high,
            }
        )
        # A map without heads has no peak to measure by, and one of a cell no room for SSIM's window.
        if maps and len(heads) and min(density.shape) > 1:
            kernel = sigma(sample) if callable(sigma) else sigma
            truth = density_map(sample.points, size, sigma=kernel, stride=STRIDE)
            truth, _ = within(counted, truth, sample.points)
            map_scores.append((metrics.psnr(truth, density), metrics.ssim(truth, density)))
    return _Scored(samples, rows, games, map_scores, observed, time.perf_counter() - start)


def _summary(groups: Sequence[_Scored], others: Sequence[float] | None) -> Evaluation:
    """The measures over some groups of pictures together, and beside another network's counts of them in order."""
    rows = [row for group in groups for row in group.rows]
    map_scores = [scores for group in groups for scores in group.maps]
    true, predicted = [row["true"] for row in rows], [row["predicted"] for row in rows]
    psnr, ssim = np.mean(map_scores, axis=0).tolist() if map_scores else (None, None)
    ranged = [row for row in rows if row["low"] is not None]
    return Evaluation(
        pictures=len(rows),
        mae=metrics.mae(true, predicted),
        rmse=metrics.rmse(true, predicted),
        nae=metrics.nae(true, predicted),
        log_ratio=metrics.log_ratio(true, predicted),
        bias=float(np.mean([row["error"] for row in rows])),
        standard_error=uncertainty.standard_errors(true, predicted),
        game=np.mean([game for group in groups for game in group.games], axis=0).tolist(),
        psnr=psnr,
        ssim=ssim,
        seconds=sum(group.seconds for group in groups),
        rows=rows,
        observed=[seen for group in groups for seen in group.observed],
        coverage=float(np.mean([row["low"] <= row["true"] <= row["high"] for row in ranged])) if ranged else None,
        mean_width=float(np.mean([row["high"] - row["low"] for row in ranged])) if ranged else None,
        against=uncertainty.compare_counts(true, predicted, others) if others else None,
        by_label=_by_label([sample for group in groups for sample in group.samples], rows),
    )


def _by_label(samples: Sequence[Sample], rows: Sequence[dict]) -> dict[str, dict[str, dict[str, float]]]:
    """Errors of the pictures with each value of each label, the values in alphabetical order."""
    groups: dict[str, dict[str, list[dict]]] = {}
    for sample, row in zip(samples, rows, strict=True):
        for label, value in sample.labels.items():
            groups.setdefault(label, {}).setdefault(value, []).append(row)
    return {
        label: {
            value: {
                "pictures": len(found),
                "mae": metrics.mae([row["true"] for row in found], [row["predicted"] for row in found]),
                "rmse": metrics.rmse([row["true"] for row in found], [row["predicted"] for row in found]),
            }
            for value, found in sorted(values.items())
        }
        for label, values in groups.items()
    }


def mirrored_back(density: np.ndarray, width: int) -> np.ndarray:
    """The map of a mirror image as a map of the picture itself, its sum kept.

    Where the width is no multiple of the stride, the cells of the mirror image lie across those of the picture: what
    is in one is divided by area, taken as even over the cell.

    Args:
        density: map of the mirror image, shape (rows, ceil(width / 8)).
        width: of the picture, in pixels.

    Returns:
        Map of the same shape.
    """
    ends = edges(width)
    left, right = (width - ends[1:])[:, None], (width - ends[:-1])[:, None]  # the mirror's cells in the picture
    shared = np.minimum(right, ends[1:]) - np.maximum(left, ends[:-1])
    return density @ (np.maximum(shared, 0) / (right - left))
