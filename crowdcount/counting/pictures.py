"""Counting the people in pictures with a trained network: picture -> density map -> `CountResult`."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Sized
from contextlib import closing
from typing import TypeVar, overload

import numpy as np
from PIL import Image

from crowdcount.counting.counts_file import CountsFile, has_name, settings_of
from crowdcount.counting.doubts import Doubt, carries_range, find_doubts
from crowdcount.counting.kinds import kind_of
from crowdcount.counting.ranges import (
    COVERAGE,
    Calibration,
    calibration_of,
    usable_calibration,
    why_no_range,
)
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.counting.resuming import doubts_of
from crowdcount.counting.scale import (
    Look,
    check_scale,
    disagreement,
    look,
    on_grid,
    other_count,
    search,
    sizes_of,
)
from crowdcount.counting.sources import expanded, is_folder, is_one, listed, name_of, pictures_in
from crowdcount.counting.tables import check_table
from crowdcount.counting.turned import on_its_side
from crowdcount.counting.words import PEOPLE, about, thing_of
from crowdcount.data.images import Source, load_picture
from crowdcount.errors import CrowdCountError, DataError, PictureError
from crowdcount.network.loading import Model, load_network
from crowdcount.progress import bar

_Item = TypeVar("_Item")


LOG = logging.getLogger("crowdcount")
"""Each count is told here (INFO) with its warnings (WARNING), and of a list or folder what fails (ERROR)."""
LOG.addHandler(logging.NullHandler())  # nobody who has set up no log is told there

CHANNELS = ("rgb", "bgr")
"""Orders in which arrays may hold their colors."""


@overload
def count(  # type: ignore[overload-overlap]  # a path is an iterable too
    picture: Source,
    *,
    model: Model = ...,
    coverage: float = ...,
    scale: float | None = ...,
    channels: str = ...,
    page: int | None = ...,
    progress: bool = ...,
) -> CountResult: ...


@overload
def count(
    picture: Iterable[Source],
    *,
    model: Model = ...,
    coverage: float = ...,
    scale: float | None = ...,
    channels: str = ...,
    page: int | None = ...,
    progress: bool = ...,
) -> list[CountResult]: ...


def count(
    picture,
    *,
    model: Model = "general",
    coverage: float = COVERAGE,
    scale: float | None = None,
    channels: str = "rgb",
    page: int | None = None,
    progress: bool = True,
):
    """Count the people in a picture, or in each picture of a list or folder.

    Args:
        picture: a path, the bytes of a file, a file object, a PIL image or a NumPy array (see
            `load_picture`); several of these, of any sizes, in a list, a generator or a batch (N, H, W, 3); or the
            path of a folder, alone or among several, whose pictures, and those of its subfolders, are counted in
            the order of their paths.
        model: name of a network that comes with the package, a `.weights.h5` file, or a `keras.Model` that
            maps (batch, height, width, 3) RGB, 0..255, to a density map at an eighth of the size.
        coverage: share of the ranges `low` to `high` that are to hold the truth. Ranges need the calibration
            in a model card: a `keras.Model` has none, nor have weights trained without validation pictures.
        scale: count each picture at so many times its size, 1/16 to 16. None: at the size at which the network
            knows the heads, where its card says what it takes to find that, see `scale.search`; else as it is.
        page: which page of a TIFF, or frame of an animation, from 1; each picture must have it. None: the largest
            page, which is told, or the first frame.
        progress: show a bar, on a terminal and in a notebook: of the pictures, if there are several, and of the tiles
            of a picture so large that it runs in tiles.

    Returns:
        A `CountResult` for one picture, or a list of them for several or a folder.

    Raises:
        PictureError: if a picture cannot be read, or a folder holds none. Of a list or a folder no count is
            kept then: `count_many` goes on after a picture that fails.
        WeightsError: if there is no such network, or its file is damaged.
        DataError: if `coverage` is no share between 0 and 1, `scale` is out of its range or makes a picture too
            large, or there is no such order of `channels`.

    Example:
        >>> import crowdcount
        >>> model = crowdcount.CSRNet(width=1 / 16)
        >>> result = count(np.zeros((48, 80, 3), np.uint8), model=model)
        >>> result.density.shape, result.width, result.height
        ((6, 10), 80, 48)
    """
    counter = Counter(model, coverage, scale, channels, page, progress)
    if is_one(picture) and not is_folder(picture):
        return counter(picture)
    sources = listed(picture)
    pictures = (each for source in sources for each in (pictures_in(source) if is_folder(source) else [source]))
    return [counter(each) for each in counter.passing(pictures, sources)]


def count_many(
    sources: Source | Iterable[Source],
    model: Model = "general",
    *,
    coverage: float = COVERAGE,
    scale: float | None = None,
    channels: str = "rgb",
    page: int | None = None,
    progress: bool = True,
    csv: str | os.PathLike | None = None,
    resume: bool = False,
) -> Iterator[CountResult | CountFailure]:
    """Count picture after picture, going on after those that fail.

    Args:
        sources: pictures and paths of folders, as for `count`; or one of them.
        model, coverage, scale, channels, page, progress: as for `count`.
        csv: a file that gets a line a picture once all are counted, as with `crowdcount count --csv`; an existing one
            is replaced. After Ctrl-C, or where your loop ends before, it has those that were counted, or where one is
            there a file beside it, which is told.
        resume: go on with the file of `csv`, if it is there: its rows stay, and their pictures are not counted
            again, nor yielded, except those that failed. Each row is in the file as soon as it is counted.

    Yields:
        For each picture, in order, a `CountResult`, or a `CountFailure` that says why there is none; a
        `CountFailure` for a folder without pictures.

    Raises:
        WeightsError: if there is no such network, or its file is damaged.
        DataError: if `coverage` is no share between 0 and 1, or `scale` out of its range; if the file of `csv` is to be
            gone on with and is no such table, or holds counts by another model, or if a picture or annotations are
            there; for `resume` without `csv`.
        CrowdCountError: if the file of `csv` cannot be written.

    Warns:
        UserWarning: where what the file holds may not belong with what is counted now, as with
            `crowdcount count --resume`.

    Example:
        >>> import crowdcount
        >>> model = crowdcount.CSRNet(width=1 / 16)
        >>> for result in count_many([np.zeros((48, 80, 3), np.uint8), b"no picture"], model):
        ...     print(type(result).__name__)
        CountResult
        CountFailure
    """
    counter = Counter(model, coverage, scale, channels, page, progress)
    if resume and csv is None:
        raise DataError("There is nothing to go on with: resume=True needs csv, the file that holds the counts.")
    if csv is None:
        several = listed(sources)
        yield from map(counter.tried, counter.passing(expanded(several), several))
        return
    settings = settings_of(counter.name, counter.coverage, scale, page)
    check_table(csv)
    counts = CountsFile(csv, resume=resume, settings=settings)
    with closing(counts):
        pictures = list(expanded(listed(sources)))
        left = counts.take_up(pictures)
        nameless = sum(not isinstance(source, CountFailure) and not has_name(source) for source in left)
        if resume and nameless:
            warnings.warn(
                f"{nameless} of the pictures come without a path: they are counted in each run, and stand in {csv} "
                "several times. Give their paths, or leave out resume.",
                stacklevel=2,
            )
        for doubt in doubts_of(counts, model, left) if resume else ():
            warnings.warn(doubt, stacklevel=2)
        try:
            for source in bar(left, "picture", wanted=progress and len(left) > 1):
                result = counter.tried(source)
                counts.add(result.to_dict())
                yield result
            counts.finish()
        except BaseException:  # also where a spreadsheet has the file open, on Windows, or the loop over it ends
            if counts.pictures:
                counts.set_aside()
                counts.finish()
                warnings.warn(f"{counts.path} holds what was counted: resume=True goes on with it.", stacklevel=2)
            raise


def _rgb(picture: np.ndarray, source: Source, channels: str) -> np.ndarray:
    """A picture with its colors in the order of the network.

    Raises:
        PictureError: for a file whose colors are said to be in another order than files have them.
    """
    if channels == "rgb":
        return picture
    if isinstance(source, (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)) or hasattr(source, "read"):
        raise PictureError(
            f"{name_of(source)}: a file tells the order of its colors itself; channels={channels!r} is for arrays, as "
            "OpenCV's imread gives them. Leave it out."
        )
    return np.ascontiguousarray(picture[..., ::-1])


class Counter:
    """A network with its calibration, loaded once, that turns pictures into results.

    Attributes:
        scale: at which pictures are counted; None: at the one that the network chooses for each.
    """

    def __init__(
        self, model: Model, coverage: float, scale: float | None, channels: str, page: int | None, progress: bool
    ):
        if channels not in CHANNELS:
            raise DataError(f"channels must be one of {', '.join(CHANNELS)}. Received: channels={channels!r}")
        self.channels, self.page = channels, page
        self.scale = None if scale is None else check_scale(scale)
        self.calibration: Calibration | None = usable_calibration(model, coverage)  # raises for what is no share
        # Of weights that hold none nobody expects ranges; of a calibration too small for what is asked one does.
        too_small = self.calibration is None and calibration_of(model) is not None
        self.lacking = why_no_range(model, coverage) if too_small else None
        self.sizes = sizes_of(model)
        self.network, self.name = load_network(model)
        self.thing = thing_of(model)
        self.coverage, self.progress = float(coverage), progress

    def passing(self, pictures: Iterable[_Item], sources: Iterable) -> Iterable[_Item]:
        """The pictures of some sources, with a bar if there are several; a generator's may have no end."""
        progress = self.progress
        if isinstance(sources, Sized):
            pictures = list(pictures)
            progress &= len(pictures) > 1
        return bar(pictures, "picture", wanted=progress)

    def __call__(self, source: Source, *, upright: bool = False) -> CountResult:
        """Count a picture.

        Args:
            source: as for `count`.
            upright: it is known to stand upright, as frames of a camera do that stood upright before: whether it lies
                on its side is not looked for.
        """
        result = self._counted(source, upright)
        LOG.info("%r", result)
        for warning in result.warnings:
            LOG.warning("%s: %s", result.picture, warning)
        return result

    def _counted(self, source: Source, upright: bool) -> CountResult:
        start = time.perf_counter()
        notes: list[str] = []
        picture = _rgb(load_picture(source, page=self.page, notes=notes), source, self.channels)
        looks = self._looks(picture)
        best, other, size = looks[-1], other_count(looks, self.sizes), picture.shape[:2]
        density = on_grid(best.density, best.picture.shape[:2], size)
        people = float(density.sum(dtype=np.float64))
        doubts = find_doubts(best.picture, best.density, size=size)
        if self.thing == PEOPLE and not upright:
            lying = on_its_side(self.network, looks[0])
            doubts |= {} if lying is None else {Doubt.SIDE: lying}
        low = high = coverage = kind = None
        if self.calibration is not None and carries_range(doubts):
            kind = kind_of(best.picture, people)  # as the network saw it: so were those that it was calibrated with
            (low, high), coverage = self.calibration.range(people, self.coverage, kind), self.coverage
            if other is not None:
                high = max(high, self.calibration.range(other, self.coverage, kind)[1])
        if other is not None:
            doubts[Doubt.SIZES] = disagreement(best.people, other, low, high)
        if self.calibration is not None and low is None:
            doubts[Doubt.UNKNOWN] = "The count has no range: no picture like this one was calibrated with."
        if self.lacking is not None:
            notes.append(self.lacking)
        path = os.path.abspath(source) if isinstance(source, (str, os.PathLike)) else None
        return CountResult(
            count=people,
            density=density,
            picture=name_of(source),
            width=size[1],
            height=size[0],
            model=self.name,
            seconds=time.perf_counter() - start,
            warnings=[about(sentence, self.thing) for sentence in doubts.values()] + notes,
            doubts=frozenset(doubts),
            # A file is read again when it is shown: a folder's results would otherwise hold every picture in
            # memory.
            source=picture if path is None else path,
            low=low,
            high=high,
            coverage=coverage,
            thing=self.thing,
            scale=best.scale,
            page=None if path is None else self.page,  # what is held in memory is that page already
            calibration=self.calibration if low is not None else None,
            kind=kind,
            other=other,
        )

    def tried(self, source: Source | CountFailure) -> CountResult | CountFailure:
        """The result; of a picture that fails, the reason."""
        result = source if isinstance(source, CountFailure) else self._tried(source)
        if isinstance(result, CountFailure):
            LOG.error("%s: %s", result.picture, result.error)
        return result

    def _tried(self, source: Source) -> CountResult | CountFailure:
        try:
            return self(source)
        except MemoryError:
            return CountFailure(name_of(source), "There is not enough memory for this picture. Make it smaller.")
        except (CrowdCountError, OSError) as error:
            return CountFailure(name_of(source), str(error))

    def _looks(self, picture: np.ndarray) -> list[Look]:
        if self.sizes is None:
            return [look(self.network, picture, self.scale or 1.0, progress=self.progress)]
        return search(self.network, picture, self.sizes, scale=self.scale, progress=self.progress)
