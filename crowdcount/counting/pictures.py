"""Counting the people in pictures with a trained network: picture -> density map -> `CountResult`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

import numpy as np

from crowdcount.counting.doubts import carries_range, find_doubts
from crowdcount.counting.kinds import kind_of
from crowdcount.counting.ranges import COVERAGE, Calibration, usable_calibration
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.counting.sources import expanded, is_folder, listed, name_of, pictures_in
from crowdcount.data.images import Source, load_picture
from crowdcount.errors import CrowdCountError
from crowdcount.network.loading import Model, load_network
from crowdcount.network.prediction import predict_density


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
    if is_folder(picture):
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
            yield CountFailure(name_of(source), "There is not enough memory for this picture. Make it smaller.")
        except (CrowdCountError, OSError) as error:
            yield CountFailure(name_of(source), str(error))


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
        doubts = find_doubts(picture, density)
        low = high = coverage = kind = None
        if self.calibration is not None and carries_range(doubts):
            kind = kind_of(picture, people)
            (low, high), coverage = self.calibration.range(people, self.coverage, kind), self.coverage
        elif self.calibration is not None:
            doubts.append("The count has no range: no picture like this one was calibrated with.")
        return CountResult(
            count=people,
            density=density,
            picture=name_of(source),
            width=width,
            height=height,
            model=self.name,
            seconds=time.perf_counter() - start,
            warnings=doubts,
            # A file is read again when it is shown: a folder's results would otherwise hold every picture in
            # memory.
            source=os.path.abspath(source) if isinstance(source, (str, os.PathLike)) else picture,
            low=low,
            high=high,
            coverage=coverage,
            calibration=self.calibration if low is not None else None,
            kind=kind,
        )
