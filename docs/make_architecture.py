"""Draw the picture of docs/architecture.md from the import linter's layers and the real imports.

python docs/make_architecture.py [--out docs/architecture.png]
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

TOP = Path(__file__).resolve().parents[1]
# What each wing is for, in a few words.
JOBS = {
    "cli": "the commands",
    "course": "the notebooks' code",
    "annotating": "dots and zones by hand",
    "web": "the page and its server",
    "video": "counts over time",
    "baselines": "older methods",
    "training": "samples to weights",
    "measuring": "how good it is",
    "counting": "picture to number, range, report",
    "area": "zones and ground",
    "network": "CSRNet, weights, maps",
    "show": "overlays, curves",
    "drawn": "drawn crowds",
    "data": "pictures, annotations, density maps",
    "grid": "cells of a map",
    "files": "whole files or none",
    "errors": "what can be wrong",
    "progress": "bars for who waits",
}


def layers() -> list[list[str]]:
    """The wings of each layer, the highest first, as pyproject.toml has them."""
    text = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    start = text.index("layers = [")
    lines = ast.literal_eval(text[start + len("layers = ") : text.index("]", start) + 1])
    return [[name.strip() for name in line.split("|")] for line in lines]


def arrows() -> Counter[tuple[str, str]]:
    """(importing wing, imported wing) -> number of imports in the code."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted((TOP / "crowdcount").rglob("*.py")):
        wing = path.relative_to(TOP / "crowdcount").with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crowdcount."):
                other = node.module.split(".")[1]
                if other != wing:
                    found[wing, other] += 1
    return found


def draw(path: Path) -> None:
    """Write the picture: a row a layer, an arrow where a wing imports another one of the ground or a wing."""
    rows = layers()
    places = {}
    figure = Figure(figsize=(9.5, 10), dpi=120)
    axes = figure.add_axes((0, 0, 1, 1))
    for row, names in enumerate(rows):
        for column, name in enumerate(names):
            x, y = (column + 1) / (len(names) + 1), -row
            places[name] = (x, y)
            axes.text(
                *(x, y),
                f"{name}\n{JOBS[name]}",
                ha="center",
                va="center",
                fontsize=9.5,
                bbox={"boxstyle": "round,pad=0.5", "facecolor": "#f3eefa", "edgecolor": "#6f1fa3"},
                zorder=3,
            )
    for (wing, other), number in arrows().items():
        if wing in places and other in places and other not in ("errors", "files", "grid", "progress"):
            axes.annotate(
                "",
                xytext=places[wing],
                xy=places[other],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": "#6f1fa3",
                    "alpha": 0.25 + min(0.5, number / 20),
                    "shrinkA": 22,
                    "shrinkB": 22,
                    "connectionstyle": "arc3,rad=0.12",
                },
                zorder=2,
            )
    axes.set(xlim=(0, 1), ylim=(-len(rows) + 0.4, 0.6))
    axes.axis("off")
    figure.savefig(path)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=TOP / "docs" / "architecture.png")
    draw(parser.parse_args(argv).out)


if __name__ == "__main__":
    main()
