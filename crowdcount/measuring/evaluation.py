"""Scoring a network on annotated pictures.

Counts are scored against the number of head annotations, whole pictures at their own size, nothing cropped or
shrunk. Where a data set has regions of interest, or boxes to ignore, only what lies inside and outside of them is
counted, in the truth and in the map.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from crowdcount.counting.ranges import COVERAGE, usable_calibration
from crowdcount.data.annotations import Sample
from crowdcount.data.density import density_map, paper_sigma
from crowdcount.data.regions import within
from crowdcount.errors import DataError
from crowdcount.files import atomic_path
from crowdcount.grid import STRIDE, edges
from crowdcount.measuring import metrics
from crowdcount.network.loading import Model, load_network
from crowdcount.network.prediction import predict_density

_GAME_LEVELS = (0, 1, 2, 3)


@dataclass(frozen=True)
class Evaluation:
    """How a network did on a data set.

    Args:
        pictures: number of pictures.
        mae: mean absolute error of the counts, in heads.
        rmse: root mean squared error of the counts (the literature's tables call it "MSE").
        nae: mean absolute error as a share of the true count, over the pictures with heads; NaN if none has.
        bias: mean of predicted minus true: negative where the network counts too few.
        game: grid average mean absolute error at levels 0 to 3; level 0 is the MAE.
        psnr: mean peak signal-to-noise ratio of the maps in decibels over the pictures with heads, or None.
        ssim: mean structural similarity of the maps over the pictures with heads, or None.
        seconds: time for all pictures, reading and scoring included.
        rows: for each picture `picture`, `true`, `predicted`, `error` (predicted minus true), `game1`,
            `game2`, `game3`, `low`, `high` (None where the network has no calibration).
        coverage: share of the true counts that lie between `low` and `high`, or None. On the pictures that
            the network was calibrated with it says nothing: it is what was asked for.
        mean_width: mean of `high` minus `low` in people, or None.
        by_label: the pictures apart by what the data set says of them, as `by_label["weather"]["fog"]`, each with
            `pictures`, `mae` and `rmse`; empty where it says nothing.
    """

    pictures: int
    mae: float
    rmse: float
    nae: float
    bias: float
    game: list[float]
    psnr: float | None
    ssim: float | None
    seconds: float
    rows: list[dict]
    coverage: float | None = None
    mean_width: float | None = None
    by_label: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def save_csv(self, path: str | os.PathLike) -> None:
        """Write `rows` as CSV, a line a picture.

        Raises:
            OSError: if the file cannot be written.
        """
        with atomic_path(path) as temporary:
            with open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
                writer = csv.DictWriter(file, list(self.rows[0]))
                writer.writeheader()
                writer.writerows(self.rows)


def evaluate(
    model: Model,
    samples: Sequence[Sample],
    *,
    maps: bool = False,
    sigma: float | str | Callable[[Sample], float | str] = paper_sigma,
    tta: bool = False,
    coverage: float = COVERAGE,
    progress: bool = True,
) -> Evaluation:
    """Score a network on annotated pictures.

    Args:
        model: name of a network that comes with the package, a `.weights.h5` file, or a `keras.Model`.
        samples: the pictures with their head annotations.
        maps: compare the density maps too, by PSNR and SSIM.
        sigma: kernel of the true maps, as for `density_map`, or a function that gives a sample's.
        tta: test-time augmentation: take the mean of the maps of each picture and of its mirror image, at twice
            the time. The ranges stay those that the network was calibrated for without it.
        coverage: share of the ranges that are to hold the truth, as for `count`.
        progress: show a progress bar on the standard error if that is a terminal.

    Returns:
        An `Evaluation`.

    Raises:
        DataError: if there are no samples, or `coverage` is no share between 0 and 1.
        PictureError: if a picture cannot be read.
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
    from tqdm import tqdm

    if not samples:
        raise DataError("There are no pictures to evaluate. Received: an empty list of samples")
    calibration = usable_calibration(model, coverage)
    network, _ = load_network(model)
    start = time.perf_counter()
    rows, games, map_scores = [], [], []
    shown = tqdm(samples, unit="picture", file=sys.stderr, disable=not (progress and sys.stderr.isatty()))
    for sample in shown:
        picture = sample.read()
        size = picture.shape[:2]
        density = predict_density(network, picture)
        if tta:
            mirrored = predict_density(network, picture[:, ::-1])
            density = (density + _mirrored_back(mirrored, size[1])) / 2
        counted = sample.counted(size)
        density, heads = within(counted, density, sample.points)
        game = [metrics.game(density, heads, size, level) for level in _GAME_LEVELS]
        predicted = float(density.sum(dtype=np.float64))
        low, high = (None, None) if calibration is None else calibration.range(predicted, coverage)
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
        if maps and len(heads):  # a map without heads has no peak to measure by
            kernel = sigma(sample) if callable(sigma) else sigma
            truth = density_map(sample.points, size, sigma=kernel, stride=STRIDE)
            truth, _ = within(counted, truth, sample.points)
            map_scores.append((metrics.psnr(truth, density), metrics.ssim(truth, density)))
    true, predicted_counts = [row["true"] for row in rows], [row["predicted"] for row in rows]
    psnr, ssim = np.mean(map_scores, axis=0).tolist() if map_scores else (None, None)
    return Evaluation(
        pictures=len(rows),
        mae=metrics.mae(true, predicted_counts),
        rmse=metrics.rmse(true, predicted_counts),
        nae=metrics.nae(true, predicted_counts),
        bias=float(np.mean([row["error"] for row in rows])),
        game=np.mean(games, axis=0).tolist(),
        psnr=psnr,
        ssim=ssim,
        seconds=time.perf_counter() - start,
        rows=rows,
        coverage=calibration and float(np.mean([row["low"] <= row["true"] <= row["high"] for row in rows])),
        mean_width=calibration and float(np.mean([row["high"] - row["low"] for row in rows])),
        by_label=_by_label(samples, rows),
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


def _mirrored_back(density: np.ndarray, width: int) -> np.ndarray:
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
