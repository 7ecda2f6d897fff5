"""Figures of notebook 10: dots, Gaussians and density maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.patches import Circle, Rectangle

from crowdcount.course import look

# Maps are shown on the square root of the density: one far person is as bright a dot as one near person.
_EXPONENT = 0.5


def dots(picture: np.ndarray, points: np.ndarray) -> None:
    """The picture, and the same with its head annotations."""
    _, axes = look.canvas(1, 2)
    look.picture(axes[0], picture, "What the camera gives")
    look.picture(axes[1], picture // 2 + 90, f"What a person adds: {len(points)} dots (x, y)")
    axes[1].scatter(points[:, 0], points[:, 1], s=9, color=look.VERMILLION, linewidths=0)


def punishment(shift: np.ndarray, errors: dict[str, np.ndarray]) -> None:
    """Squared error of a shifted map, as a share of that of an empty map."""
    _, axes = look.canvas(height=3.3, width=6.6)
    for (name, values), style in zip(errors.items(), ("-", "--", "-.", ":")):
        axes.plot(shift, values, style, label=name)
    axes.axhline(1, color=look.GRAY, linewidth=1)
    axes.text(shift[-1], 1.03, "an empty map", ha="right", color=look.GRAY)
    look.label(
        axes,
        "every head found this far beside its place (pixels)",
        "squared error (empty map = 1)",
        "Dots punish a near miss more than blindness; Gaussians forgive it",
    )
    axes.legend()


def hill(profile: np.ndarray, kernel: np.ndarray, sigma: float) -> None:
    """One Gaussian from the side and from above."""
    _, axes = look.canvas(1, 2, height=2.9)
    middle = len(profile) / 2
    at = np.arange(len(profile)) + 0.5 - middle
    axes[0].bar(at, profile, width=1.0, color=look.SKY, edgecolor="white", linewidth=0.4)
    for side in (-sigma, sigma):
        axes[0].axvline(side, color=look.VERMILLION, linestyle="--", linewidth=1.5)
    axes[0].text(sigma, profile.max() * 0.95, "  sigma", color=look.VERMILLION)
    look.label(axes[0], "pixels from the head", "people per pixel column", "From the side: the sum is 1")
    image = axes[1].imshow(kernel, cmap=look.HEAT, extent=(-middle, middle, middle, -middle))
    for times in (1, 2, 3):
        ring = Circle((0, 0), times * sigma, fill=False, color="white", linestyle="--", linewidth=1)
        axes[1].add_patch(ring)
        axes[1].text(0, -times * sigma, f"{times} sigma", color="white", ha="center", va="bottom", fontsize=8)
    axes[1].grid(False)
    look.label(axes[1], "pixels from the head", "pixels", "From above")
    axes[1].figure.colorbar(image, ax=axes[1], label="people per pixel")


def maps(densities: Sequence[np.ndarray], titles: Sequence[str], *, columns: int = 2) -> None:
    """Density maps in a grid, each with its color bar."""
    rows = -(-len(densities) // columns)
    figure, axes = look.canvas(rows, columns, height=2.7 if columns < 3 else 2.1, squeeze=False)
    for ax, density, title in zip(axes.flat, densities, titles):
        look.picture(ax, density, title, cmap=look.HEAT, norm=_norm(density))
        figure.colorbar(ax.images[0], ax=ax, shrink=0.85, label="people per cell", format="%.2g")
    for ax in axes.flat[len(densities) :]:
        ax.set_axis_off()


def one_map(density: np.ndarray, title: str) -> None:
    """One density map, for a slider."""
    figure, axes = look.canvas(height=3.2, width=5.6)
    look.picture(axes, density, title, cmap=look.HEAT, norm=_norm(density))
    figure.colorbar(axes.images[0], ax=axes, shrink=0.9, label="people per pixel", format="%.2g")


def strips(sigmas: np.ndarray, counted: np.ndarray, truth: int) -> None:
    """People that a map shows in a strip, against sigma."""
    _, axes = look.canvas(height=3.0, width=6.6)
    axes.plot(sigmas, counted, "o-", label="sum of the map over the strip")
    axes.axhline(truth, color=look.BLACK, linestyle="--", linewidth=1.2, label="heads in the strip")
    title = "Wide kernels carry people over the edge of the strip"
    look.label(axes, "sigma (pixels)", "people in the strip", title)
    axes.legend()


def circles(picture: np.ndarray, points: np.ndarray, fixed: float, adaptive: np.ndarray) -> None:
    """Fixed and adaptive sigmas as circles around the heads."""
    _, axes = look.canvas(1, 2)
    for ax, sigmas, title in zip(
        axes,
        (np.full(len(points), fixed), adaptive),
        (
            f"Fixed: sigma {fixed:g} for everybody",
            f"Adaptive: sigma {adaptive.min():.1f} to {adaptive.max():.1f}",
        ),
    ):
        look.picture(ax, picture // 2 + 90, title)
        for (x, y), sigma in zip(points, sigmas):
            ax.add_patch(Circle((x, y), sigma, fill=False, color=look.BLUE, linewidth=1))
        ax.set_xlim(0, picture.shape[1])
        ax.set_ylim(picture.shape[0], 0)


def sizes(head: np.ndarray, adaptive: np.ndarray, fixed: float, least: float) -> None:
    """Sigma against the true size of each head."""
    _, axes = look.canvas(height=3.4, width=6.6)
    axes.scatter(head, adaptive, s=18, color=look.BLUE, label="adaptive sigma", alpha=0.8)
    axes.axhline(fixed, color=look.VERMILLION, linestyle="--", label="fixed sigma")
    ends = np.array([head.min(), head.max()])
    axes.plot(ends, ends * least, color=look.BLACK, linewidth=1.2, label=f"sigma = {least:.2f} x head height")
    look.label(
        axes,
        "height of the head in the picture (pixels)",
        "sigma (pixels)",
        "What the neighbors say about the head",
    )
    axes.legend()


def borders(distance: np.ndarray, kept: np.ndarray, corner: np.ndarray, sigma: float) -> None:
    """Share of a head that a cut Gaussian keeps, against the distance from the border."""
    _, axes = look.canvas(height=3.0, width=6.6)
    axes.plot(distance, kept, label="beside one border")
    axes.plot(distance, corner, "--", label="in a corner, as far from both borders")
    axes.axvline(2 * sigma, color=look.GRAY, linewidth=1)
    axes.text(2 * sigma, 0.3, " 2 sigma", color=look.GRAY)
    axes.set_ylim(0, 1.05)
    look.label(
        axes,
        "distance from the border (pixels)",
        "share of the head in the map",
        f"A Gaussian cut off, sigma {sigma:g}",
    )
    axes.legend(loc="lower right")


def product(rows: np.ndarray, columns: np.ndarray, density: np.ndarray) -> None:
    """Two profiles and their product: a map as a matrix product."""
    _, axes = look.canvas(1, 3, height=2.6)
    for ax, values, y, x, title in (
        (axes[0], rows, "head", "row of the picture", f"Ky: {rows.shape[0]} x {rows.shape[1]}"),
        (axes[1], columns, "head", "column of the picture", f"Kx: {columns.shape[0]} x {columns.shape[1]}"),
        (axes[2], density, "row", "column", f"Ky.T @ Kx: {density.shape[0]} x {density.shape[1]}"),
    ):
        ax.imshow(values, cmap=look.HEAT, aspect="auto", interpolation="nearest")
        ax.grid(False)
        look.label(ax, x, y, title)


def cropped(density: np.ndarray, box: tuple[int, int, int, int], inside: np.ndarray, titles: Sequence[str]) -> None:
    """A map with a box (top, left, height, width), and two crops of it."""
    _, axes = look.canvas(1, 3, height=2.4)
    top, left, height, width = box
    crop = density[top : top + height, left : left + width]
    norm = _norm(density)
    for ax, values, title in zip(axes, (density, crop, inside), titles):
        look.picture(ax, values, title, cmap=look.HEAT, norm=norm)
    axes[0].add_patch(Rectangle((left, top), width, height, fill=False, color="white", linewidth=2))


def merged(scales: Sequence[str], lost: Sequence[float]) -> None:
    """Share of the people lost where a dot is written as a 1 instead of added."""
    _, axes = look.canvas(height=2.6, width=6.0)
    bars = axes.bar(scales, lost, color=look.ORANGE, width=0.6)
    axes.bar_label(bars, fmt="%.1f %%")
    axes.margins(y=0.15)
    title = "Writing a 1 merges neighbors"
    look.label(axes, "cell that a dot is rounded to (pixels)", "people lost (%)", title)


def _norm(density: np.ndarray) -> PowerNorm:
    return PowerNorm(_EXPONENT, 0, float(density.max()))
