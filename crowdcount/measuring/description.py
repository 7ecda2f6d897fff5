"""What a data set is like: a table, a page of plots, and the pictures that stand out."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from crowdcount.data.annotations import Sample, listed_samples, load_dataset
from crowdcount.data.images import picture_size
from crowdcount.errors import DataError
from crowdcount.files import shown

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

# Cells a side of the map of where heads lie.
_GRID = 32
# A picture stands out where a measure lies this many times the middle half's spread beyond that half.
_FAR = 3.0
# Some points at the place of another are in every data set (`crowdcount check` names them): a larger share is odd.
_REPEATED = 0.02
# With fewer pictures than this the middle half says little.
_FEW = 8


@dataclass(frozen=True)
class PictureFacts:
    """One picture of a data set.

    Args:
        name: of the sample.
        width, height: in pixels.
        heads: number of points.
        spacing: median distance of a head to the nearest other one, in pixels; None with fewer than two.
        outside: points outside the picture.
        repeated: points at the very place of another one.
    """

    name: str
    width: int
    height: int
    heads: int
    spacing: float | None
    outside: int
    repeated: int

    @property
    def megapixels(self) -> float:
        """Size in millions of pixels."""
        return self.width * self.height / 1e6

    @property
    def crowding(self) -> float:
        """Heads a megapixel."""
        return self.heads / self.megapixels


@dataclass(frozen=True)
class Description:
    """A data set in numbers, as `describe` finds them.

    Args:
        title: what was described.
        pictures: the facts of each picture, in the order of the samples.
        places: share of the heads in each of 32 x 32 equal parts of their pictures, rows from the top.
        labels: label -> value -> number of pictures.
        with_region: pictures with a region of interest or boxes to ignore.
    """

    title: str
    pictures: list[PictureFacts]
    places: np.ndarray
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    with_region: int = 0

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The table: what, and how much of it."""
        heads = np.array([facts.heads for facts in self.pictures])
        crowding = np.array([facts.crowding for facts in self.pictures])
        spacing = np.array([facts.spacing for facts in self.pictures if facts.spacing is not None])
        sizes = Counter((facts.width, facts.height) for facts in self.pictures)
        (width, height), times = sizes.most_common(1)[0]
        megapixels = [facts.megapixels for facts in self.pictures]
        rows = [
            ("pictures", f"{len(heads):,}"),
            ("without heads", f"{int((heads == 0).sum()):,}"),
            ("heads", f"{int(heads.sum()):,}"),
            ("heads a picture", _spread(heads, "{:,.0f}")),
            ("heads a megapixel", _spread(crowding, "{:,.0f}")),
            ("spacing (pixels)", _spread(spacing, "{:.1f}") if len(spacing) else "none"),
            ("sizes", f"{len(sizes):,}, {width} x {height} most often ({times:,})"),
            ("megapixels", _spread(np.array(megapixels), "{:.2f}")),
        ]
        if self.with_region:
            rows.append(("with a region", f"{self.with_region:,}"))
        for label, values in self.labels.items():
            most = sorted(values.items(), key=lambda item: -item[1])
            told = ", ".join(f"{value} {times:,}" for value, times in most[:6])
            rows.append((label, told + (f" and {len(most) - 6} more" if len(most) > 6 else "")))
        return rows

    @property
    def outliers(self) -> list[tuple[str, str]]:
        """Name of each picture that stands out, and why; the farthest first within each reason."""
        found = []
        measures: tuple[tuple[str, Callable[[PictureFacts], float | None], str], ...] = (
            ("heads a megapixel", lambda facts: facts.crowding, "{:,.0f}"),
            ("pixels between neighbors", lambda facts: facts.spacing, "{:.1f}"),
            ("megapixels", lambda facts: facts.megapixels, "{:.2f}"),
        )
        for what, measure, form in measures:
            having = [(facts, value) for facts in self.pictures if (value := measure(facts)) is not None]
            for at in _far([value for _, value in having]):
                facts, value = having[at]
                found.append((facts.name, f"{form.format(value)} {what}, most have {_half(having, form)}"))
        for facts in self.pictures:
            if facts.outside:
                found.append((facts.name, f"{facts.outside} of {facts.heads} points lie outside the picture"))
            if facts.repeated > _REPEATED * facts.heads:
                found.append((facts.name, f"{facts.repeated} of {facts.heads} points repeat another one"))
        return found

    def __str__(self) -> str:
        wide = max(len(name) for name, _ in self.rows)
        lines = [self.title, *(f"{name.ljust(wide)}  {value}" for name, value in self.rows)]
        outliers = self.outliers
        if outliers:
            lines += ["", "stand out:", *(f"  {name}: {reason}" for name, reason in outliers[:20])]
        if len(outliers) > 20:
            lines.append(f"  and {len(outliers) - 20} more")
        return "\n".join(map(shown, lines))

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in self.rows
        )
        stand_out = "".join(
            f"<li>{html.escape(name)}: {html.escape(reason)}</li>" for name, reason in self.outliers[:20]
        )
        return f"<b>{html.escape(self.title)}</b><table>{cells}</table>" + (stand_out and f"<ul>{stand_out}</ul>")

    def as_dict(self) -> dict:
        """For JSON: the table, what stands out, and the facts of each picture."""
        return {
            "title": self.title,
            "table": dict(self.rows),
            "outliers": [{"picture": name, "reason": reason} for name, reason in self.outliers],
            "pictures": [asdict(facts) for facts in self.pictures],
        }

    def figure(self) -> Figure:
        """One page of plots: heads, crowding, sizes, spacing, where heads lie, what stands out."""
        from crowdcount.show.description import draw_description

        return draw_description(self)


def describe(
    dataset: str | Sequence[Sample],
    root: str | os.PathLike | None = None,
    split: str = "all",
    *,
    title: str | None = None,
) -> Description:
    """Describe a data set: how many pictures and heads, how large, how dense, how far apart, what stands out.

    Only the headers of the pictures are read.

    Args:
        dataset: samples, or a specification as for `crowdcount.load_dataset`.
        root, split: as for `crowdcount.load_dataset`, where `dataset` is a specification.
        title: above the table and the plots; None for the specification and the split.

    Returns:
        A `Description`, which prints as a table and shows as one in a notebook; `figure()` draws the plots.

    Raises:
        AnnotationError: as `load_dataset`.
        DataError: if these are no samples or none.
        PictureError: if a picture cannot be read.

    Example:
        >>> walls = [Sample(f"{n}", np.zeros((100, 100 + n, 3), np.uint8), [[5, 5], [9, 8]]) for n in range(3)]
        >>> description = describe(walls)
        >>> dict(description.rows)["heads a picture"]
        '2 to 2, median 2, mean 2'
        >>> description.pictures[0].spacing
        5.0
    """
    samples = load_dataset(dataset, root, split) if isinstance(dataset, str) else listed_samples(dataset)
    if title is None:
        title = f"{dataset}, {split}" if isinstance(dataset, str) else f"{len(samples)} samples"
    if not samples:
        raise DataError("There are no pictures to describe. Received: an empty list of samples")
    pictures, places = [], np.zeros((_GRID, _GRID))
    labels: dict[str, dict[str, int]] = {}
    for sample in samples:
        height, width = picture_size(sample.picture)
        pictures.append(_facts(sample, height, width))
        x, y = np.clip(sample.points / (width, height), 0, 1 - 1e-9).T
        np.add.at(places, ((y * _GRID).astype(int), (x * _GRID).astype(int)), 1)
        for label, value in sample.labels.items():
            values = labels.setdefault(label, {})
            values[value] = values.get(value, 0) + 1
    with_region = sum(sample.has_region for sample in samples)
    return Description(title, pictures, places / max(places.sum(), 1), labels, with_region)


def _facts(sample: Sample, height: int, width: int) -> PictureFacts:
    points = sample.points
    spacing = None
    if len(points) > 1:
        spacing = float(np.median(cKDTree(points).query(points, 2)[0][:, 1]))
    outside = int(((points < 0) | (points > (width, height))).any(axis=1).sum())
    repeated = len(points) - len(np.unique(points, axis=0))
    return PictureFacts(sample.name, width, height, len(points), spacing, outside, repeated)


def _spread(values: np.ndarray, form: str) -> str:
    low, middle, mean, high = (
        form.format(value) for value in (values.min(), np.median(values), values.mean(), values.max())
    )
    return f"{low} to {high}, median {middle}, mean {mean}"


def _far(values: Sequence[float]) -> list[int]:
    """Which values lie far beyond the middle half, by their ratio to it; the farthest first."""
    if len(values) < _FEW:
        return []
    logs = np.log(np.asarray(values) + 1e-3 * (1 + np.median(values)))
    low, high = np.percentile(logs, [25, 75])
    beyond = np.maximum(low - logs, logs - high) - _FAR * max(high - low, np.log(1.5))
    return [int(at) for at in np.argsort(-beyond, kind="stable") if beyond[at] > 0]


def _half(having: Sequence[tuple[PictureFacts, float]], form: str) -> str:
    low, high = np.percentile([value for _, value in having], [25, 75])
    return f"{form.format(low)} to {form.format(high)}"
