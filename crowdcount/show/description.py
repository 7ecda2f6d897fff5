"""The page of plots that describes a data set."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Protocol

import numpy as np

from crowdcount.show.fonts import literal
from crowdcount.show.plots import HEAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOR = "#0072B2"


class _Facts(Protocol):
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def spacing(self) -> float | None: ...
    @property
    def crowding(self) -> float: ...


class _Described(Protocol):
    @property
    def title(self) -> str: ...
    @property
    def pictures(self) -> Sequence[_Facts]: ...
    @property
    def places(self) -> np.ndarray: ...
    @property
    def outliers(self) -> list[tuple[str, str]]: ...


def draw_description(description: _Described) -> Figure:
    """Draw a `crowdcount.measuring.description.Description` on one page.

    Args:
        description: what `crowdcount.describe` returned.

    Returns:
        A figure of 11.7 x 8.3 inches (A4) with six panels.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.7, 8.3), layout="constrained")
    figure.suptitle(literal(description.title))
    panels = figure.subplots(2, 3).ravel()
    facts = description.pictures
    _histogram(panels[0], [one.heads for one in facts], "heads a picture")
    _histogram(panels[1], [one.crowding for one in facts], "heads a megapixel")
    _histogram(panels[2], [one.spacing for one in facts if one.spacing], "pixels to the nearest head (median)")
    _sizes(panels[3], facts)
    shown = panels[4].imshow(description.places * 100, cmap=HEAT, extent=(0, 100, 100, 0), aspect="auto")
    panels[4].set(title="where heads lie", xlabel="% of the width", ylabel="% of the height")
    figure.colorbar(shown, ax=panels[4], label="% of the heads")
    _names(panels[5], description.outliers)
    return figure


def _histogram(axes: Axes, values: Sequence[float], what: str) -> None:
    """Numbers of pictures; over a logarithmic axis where the values differ by more than 30 times."""
    axes.set(xlabel=what, ylabel="pictures")
    array = np.asarray(values, float)
    if not len(array):
        axes.text(0.5, 0.5, "no heads", ha="center", transform=axes.transAxes)
        return
    above = array[array > 0]
    if len(above) and above.max() > 30 * above.min():
        edges = np.geomspace(above.min(), above.max() * 1.001, 25).tolist()
        axes.hist(np.maximum(array, above.min()), edges, color=_COLOR)  # nobody stands in the first bar
        axes.set_xscale("log")
    else:
        axes.hist(array, 25, color=_COLOR)
    axes.axvline(
        np.median(array), color="black", linestyle="--", label=f"median {float(format(np.median(array), '.4g')):g}"
    )
    axes.legend()


def _sizes(axes: Axes, facts: Sequence[_Facts]) -> None:
    sizes, times = np.unique([(one.width, one.height) for one in facts], axis=0, return_counts=True)
    axes.scatter(sizes[:, 0], sizes[:, 1], s=10 + 200 * times / times.max(), color=_COLOR, alpha=0.5)
    axes.set(title="sizes", xlabel="width (pixels)", ylabel="height (pixels)")
    axes.set_xlim(0, sizes[:, 0].max() * 1.15)
    axes.set_ylim(0, sizes[:, 1].max() * 1.15)


def _names(axes: Axes, outliers: Sequence[tuple[str, str]]) -> None:
    axes.set_axis_off()
    axes.set_title("stand out")
    lines = [line for name, reason in outliers[:8] for line in textwrap.wrap(f"{name}: {reason}", 46)]
    if len(outliers) > 8:
        lines.append(f"and {len(outliers) - 8} more")
    axes.text(0, 1, literal("\n".join(lines)) or "nothing", va="top", fontsize=8, transform=axes.transAxes)
