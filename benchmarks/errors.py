"""Where the shipped weights are wrong: writes docs/errors.md and its figures.

    python benchmarks/errors.py --root FOLDER [--model NAME_OR_FILE]

The page's last section, on the size of the file, stays as it is: `benchmarks/scale.py` measures it.

Counts the validation pictures of both parts of ShanghaiTech, and the ten worst of them again for their maps. The
figures show density maps alone: the pictures may not be passed on.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from crowdcount.area.zones import Zone, count_zones
from crowdcount.counting.doubts import find_doubts
from crowdcount.course import look
from crowdcount.data.annotations import Sample, load_dataset
from crowdcount.data.density import density_map
from crowdcount.data.images import picture_size
from crowdcount.files import atomic_path
from crowdcount.grid import STRIDE
from crowdcount.measuring import metrics
from crowdcount.measuring.evaluation import evaluate
from crowdcount.network.cards import model_card
from crowdcount.network.loading import load_network
from crowdcount.network.prediction import predict_density
from crowdcount.training.recipes import find_recipe

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA = "shanghaitech_a+shanghaitech_b"
PARTS = {"part A": look.VERMILLION, "part B": look.BLUE}
WORST = 10
LAST_SECTION = "## By the size of the file"

# What a person sees in a picture that is among the worst: a sentence each.
WORDS = {
    "part_A/IMG_135": "A crowd by night, yellow and black, which looks like moss on a stone.",
    "part_A/IMG_144": "A packed crowd at night, in a grainy picture: dark coats and dark heads are hard to tell apart, "
    "and many heads in sight are not annotated.",
    "part_A/IMG_146": "People walk over ground that is strewn with confetti, each piece about as large as a head.",
    "part_A/IMG_299": "Most of the crowd stands far off in haze behind bare branches, a few pixels a head.",
}

QUARTERS = [
    Zone(f"{vertical} {side}", [[x, y], [x + 0.5, y], [x + 0.5, y + 0.5], [x, y + 0.5]], fractions=True)
    for y, vertical in ((0.0, "upper"), (0.5, "lower"))
    for x, side in ((0.0, "left"), (0.5, "right"))
]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder that holds part_A and part_B")
    parser.add_argument("--model", default="general")
    arguments = parser.parse_args(argv)

    samples = {sample.name: sample for sample in load_dataset(DATA, arguments.root, "val")}
    trained = sorted(per_megapixel(sample) for sample in load_dataset(DATA, arguments.root, "train"))
    rows = evaluate(arguments.model, list(samples.values())).rows
    for row in rows:
        row["part"] = row["picture"].split("/")[0].replace("_", " ")
        row["megapixels"] = megapixels(samples[row["picture"]])
        row["density"] = row["true"] / row["megapixels"]
    worst = sorted(rows, key=lambda row: -abs(row["error"]))[:WORST]
    look.use()
    page = [*summary(rows, worst, arguments.model), *by(rows, "density", "people a megapixel")]
    page += [*by(rows, "megapixels", "megapixels"), *table(worst)]
    for rank, row in enumerate(worst, start=1):
        page += one_picture(rank, row, samples[row["picture"]], trained, arguments.model)
    text = "\n".join(page) + "\n" + last_section(DOCS / "errors.md")
    with atomic_path(DOCS / "errors.md") as temporary:
        temporary.write_text(text, "utf-8")


def last_section(page: Path) -> str:
    """What the page says of the size of the file, which is measured elsewhere; nothing where there is no page yet."""
    _, heading, section = (page.read_text("utf-8") if page.is_file() else "").partition(LAST_SECTION)
    return heading + section


def megapixels(sample: Sample) -> float:
    return float(np.prod(picture_size(sample.picture))) / 1e6


def per_megapixel(sample: Sample) -> float:
    return sample.count / megapixels(sample)


def summary(rows: Sequence[dict], worst: Sequence[dict], model: str) -> Iterator[str]:
    """The head of the page: what was measured, by part, and the error against the count."""
    yield from ("# Where the counts are wrong", "")
    yield f"`python benchmarks/errors.py --root FOLDER` writes this page: ShanghaiTech's {len(rows)} validation"
    yield f"pictures, on which the weights `{model}` were chosen (the first runs of `general` had learned from 31 of"
    yield "part A's, which were training pictures then), each counted whole. An error"
    yield "is what was counted minus the number of head annotations. The figures show density maps alone: the pictures"
    yield "may not be passed on."
    yield from ("", "| part | pictures | people | MAE | RMSE | bias |", "|---|---|---|---|---|---|")
    for part in PARTS:
        true, counted = counts([row for row in rows if row["part"] == part])
        bias = f"{counted.sum() / true.sum() - 1:+.1%}"
        scores = f"{metrics.mae(true, counted):.1f} | {metrics.rmse(true, counted):.1f} | {bias}"
        yield f"| {part[-1]} | {len(true)} | {true.sum():,.0f} | {scores} |"
    share = sum(abs(row["error"]) for row in worst) / sum(abs(row["error"]) for row in rows)
    yield from ("", f"The {len(worst)} worst pictures make {share:.0%} of all absolute error.", "")
    figure, axes = look.canvas()
    scatter(axes, rows, "true", [row["error"] for row in rows])
    look.label(axes, "people in the picture", "error (people)")
    yield from ("## Error against count", "", f"![The error over the number of people]({save(figure, 'by_count')})", "")


def by(rows: Sequence[dict], key: str, unit: str) -> Iterator[str]:
    """A section: the bias in groups of about as many pictures, by density or size."""
    figure, axes = look.canvas()
    scatter(axes, rows, key, [100 * row["error"] / max(row["true"], 1) for row in rows])
    yield from (f"## Bias by {unit}", "", f"| {unit} | pictures | people | counted | bias |", "|---|---|---|---|---|")
    values = np.array([row[key] for row in rows])
    edges = np.quantile(np.unique(values), np.linspace(0, 1, 6))  # all of part B are of one size, which is one group
    group = np.clip(np.digitize(values, edges) - 1, 0, max(0, len(edges) - 2))
    for number in np.unique(group):
        inside = [row for row, of in zip(rows, group) if of == number]
        low, high = (f(row[key] for row in inside) for f in (min, max))
        true, counted = counts(inside)
        bias = counted.sum() / max(true.sum(), 1) - 1
        axes.plot([low, high], [100 * bias] * 2, color=look.BLACK, marker="|")
        span = f"{low:,.3g} to {high:,.3g}" if high < 1000 else f"{low:,.0f} to {high:,.0f}"
        yield f"| {span} | {len(inside)} | {true.sum():,.0f} | {counted.sum():,.0f} | {bias:+.1%} |"
    look.label(axes, unit, "error (% of the people)", "black: a group's people all together")
    yield from ("", f"![The error over {unit}]({save(figure, f'by_{key}')})", "")


def table(worst: Sequence[dict]) -> Iterator[str]:
    yield from (f"## The {len(worst)} worst", "", "GAME(3) adds up the errors of 64 parts of the picture.", "")
    yield from ("| | picture | people | counted | error | GAME(3) |", "|---|---|---|---|---|---|")
    for rank, row in enumerate(worst, start=1):
        numbers = f"{row['true']} | {row['predicted']:.0f} | {row['error']:+.0f} | {row['game3']:.0f}"
        yield f"| {rank} | {row['picture']} | {numbers} |"
    yield ""


def one_picture(rank: int, row: dict, sample: Sample, trained: Sequence[float], model: str) -> Iterator[str]:
    """A section: what is measured of one of the worst pictures, what a person sees in it, and its maps."""
    picture = sample.read()
    size = picture.shape[:2]
    counted = predict_density(load_network(model)[0], picture)
    kernel = find_recipe(model_card(model).content.get("recipe", "default")).kernel(sample)
    true = density_map(sample.points, size, sigma=kernel, stride=STRIDE)
    quarter = np.clip(sample.points * 2 // size[::-1], 0, 1).astype(int) @ (1, 2)
    heads = np.bincount(quarter, minlength=4)
    errors = np.array(list(count_zones(counted, QUARTERS, size).values())) - heads
    at = int(np.argmax(np.abs(errors)))
    share = abs(errors[at]) / np.abs(errors).sum()
    denser = np.searchsorted(trained, row["density"]) / len(trained)
    word = "many" if row["error"] > 0 else "few"
    there = f"{heads[at] + errors[at]:.0f} counted of {heads[at]}"

    yield from (f"### {rank}. {row['picture']}", "")
    yield f"- {abs(row['error']):.0f} too {word}: {row['predicted']:.0f} counted of {row['true']} ({error_share(row)})."
    yield f"- The {QUARTERS[at].name} quarter holds {share:.0%} of the quarters' errors: {there}."
    yield f"- {row['density']:,.0f} people a megapixel, more than in {denser:.0%} of the training pictures."
    if sample.count > 1:
        apart = np.median(cKDTree(sample.points).query(sample.points, 2)[0][:, 1])
        yield f"- From a head to the next: {apart:.1f} pixels in the median."
    yield from (f"- The count comes with the warning: {doubt}" for doubt in find_doubts(picture, counted).values())
    yield from ("", WORDS[row["picture"]], "") if row["picture"] in WORDS else ("",)
    yield f"![True and counted density, and the error of the worst quarter]({draw(rank, row, true, counted, at)})"
    yield ""


def draw(rank: int, row: dict, true: np.ndarray, counted: np.ndarray, at: int) -> str:
    """The true map beside the counted one, and of the quarter `at` the difference, blurred by two cells."""
    figure, axes = look.canvas(1, 3, height=2.4)
    norm = PowerNorm(0.5, 0, max(np.percentile(true, 99.5), 0.05), clip=True)
    middle = [side // 2 for side in true.shape]
    top, left = middle[0] * (at // 2), middle[1] * (at % 2)
    for place, density, text in ((axes[0], true, "true"), (axes[1], counted, "counted")):
        look.picture(place, density, f"{text}: {density.sum():.0f}", norm=norm, cmap=look.HEAT)
        place.add_patch(Rectangle((left - 0.5, top - 0.5), middle[1], middle[0], fill=False, color="white"))
    error = gaussian_filter(counted - true, 2)[top : top + middle[0], left : left + middle[1]]
    most = max(float(np.abs(error).max()), 1e-6)
    look.picture(
        axes[2], error, "in the frame: orange too few, purple too many", cmap=look.SIGNED, vmin=-most, vmax=most
    )
    axes[2].title.set_fontsize("small")
    return save(figure, f"worst_{rank}")


def scatter(axes: pyplot.Axes, rows: Sequence[dict], key: str, errors: Sequence[float]) -> None:
    axes.set_xscale("linear" if key == "megapixels" else "log")  # sizes are within a factor of ten
    axes.set_yscale("symlog", linthresh=10)
    axes.margins(y=0.1)
    for part, color in PARTS.items():
        chosen = [(row[key], error) for row, error in zip(rows, errors) if row["part"] == part]
        axes.scatter(*np.reshape(chosen, (-1, 2)).T, color=color, marker="o" if part[-1] == "A" else "^", label=part)
    axes.axhline(0, color=look.GRAY, linewidth=1)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_major_formatter("{x:+,g}")
    axes.legend()


def counts(rows: Sequence[dict]) -> np.ndarray:
    """True and predicted counts, shape (2, pictures)."""
    return np.array([(row["true"], row["predicted"]) for row in rows], float).T


def error_share(row: dict) -> str:
    return f"{row['error'] / row['true']:+.0%}" if row["true"] else "nobody is there"


def save(figure: pyplot.Figure, name: str) -> str:
    file = f"errors_{name}.png"
    with atomic_path(DOCS / file) as temporary:
        figure.savefig(temporary)
    pyplot.close(figure)
    return file


if __name__ == "__main__":
    main()
