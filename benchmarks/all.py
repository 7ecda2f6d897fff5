"""Time crowdcount on this machine, against others where they are installed, each ratio within one run.

    python -m pip install ".[benchmarks]"
    python benchmarks/all.py [PART...] [--repeats N] [--json FILE] [--page docs/performance.md]

Parts: predict, against, step, density, pipeline, cold, memory, growth; all of them where none is named. Prints
Markdown: medians with the least and the most of at least 5. `--json` writes the numbers, `--page` puts each part's
table, with the machine, into that page between its marks. bfloat16 is timed where the processor computes it
(`--numbers float32 bfloat16` times it anyhow). A machine that does anything else meanwhile gives wrong numbers.
TensorFlow and Triton, which PyTorch for GPUs brings along, do not load into one process: `pip uninstall triton`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image
from stopwatch import Table, in_turn, machine, ratio, spread

from crowdcount.files import atomic_path

SPREAD = ("median", "least", "most")
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def picture_of(height: int, width: int) -> np.ndarray:
    from crowdcount.drawn.crowds import draw_crowd

    # What a convolution costs does not depend on the picture: few heads fit into the smallest.
    return draw_crowd(20, size=(height, width), seed=1).picture


# --- Parts --------------------------------------------------------------------------------------------------


def predict(options: argparse.Namespace) -> list[Table]:
    """Ours at all sizes, and how near it comes to the processor's peak."""
    from crowdcount.network.csrnet import CSRNet
    from crowdcount.network.prediction import predict_density

    networks = {name: CSRNet(width=options.width, precision=PRECISIONS[name]) for name in options.numbers}
    peaks = {name: peak(name, options) for name in options.numbers}
    columns = ("size", "pictures", "numbers", *SPREAD, "pictures a second", "share of the peak")
    table = Table("Prediction, seconds", columns)
    for height, width in options.sizes:
        picture = picture_of(height, width)
        for batch in options.batches:
            if batch * height * width > options.most * 1e6:
                continue  # half an hour on two cores: eight pictures take eight times as long as one
            runs = {
                name: lambda network=network, batch=[picture] * batch: [predict_density(network, one) for one in batch]
                for name, network in networks.items()
            }
            for name, seconds in in_turn(runs, options.repeats).items():
                took = spread(seconds)
                share = work(height, width, options.width) * batch / took[0] / peaks[name]
                row = [f"{width}x{height}", batch, name, *took, batch / took[0], f"{share:.0%}"]
                table.rows.append(row)
    peaked = ", ".join(f"{value / 1e9:.0f} GFLOP/s in {name}" for name, value in peaks.items())
    table.notes.append(
        f"The peak is the best plain matrix product of the shapes of the network's layers: {peaked}. Three in four "
        "multiplications of many layers are saved, hence more than all of it. Several pictures are predicted one after "
        "the other: the network fills the processor with one."
    )
    return [table]


def work(height: int, width: int, share: float) -> float:
    """Floating point operations of one prediction."""
    from crowdcount.network.csrnet import CSRNet

    total, at = 0.0, {"block1": 1, "block2": 2, "block3": 4}
    for layer in CSRNet(width=share, precision="float32").layers:
        if layer.name.startswith(("block", "dilated", "density")) and layer.weights:
            stride = at.get(layer.name.split("_")[0], 8)
            total += 2.0 * np.prod(layer.kernel.shape) * -(-height // stride) * -(-width // stride)
    return total


def peak(numbers: str, options: argparse.Namespace) -> float:
    """Operations a second of the quickest plain matrix product of the shapes of the network's layers, at 1024x768."""
    import tensorflow as tf

    dtype, best = getattr(tf, numbers), 0.0
    for stride, channels in ((2, 128), (4, 256), (8, 512)):
        channels = max(8, int(channels * options.width))
        rows, inner = 1024 * 768 // stride**2, 9 * channels
        a, b = (tf.cast(tf.random.normal(shape), dtype) for shape in ((rows, inner), (inner, channels)))
        seconds = in_turn({"": lambda a=a, b=b: tf.matmul(a, b)[0, 0].numpy()}, options.repeats)[""]
        best = max(best, 2.0 * rows * inner * channels / spread(seconds)[0])
    return best


def against(options: argparse.Namespace) -> list[Table]:
    """Ours against PyTorch, ONNX Runtime and OpenVINO, in turn; and bfloat16's counts against float32's."""
    from rivals import onnx_predictions, torch_predictions

    from crowdcount.network.csrnet import CSRNet
    from crowdcount.network.export import export_model
    from crowdcount.network.prediction import predict_density

    height, width = options.against_size
    picture = picture_of(height, width)
    networks = {name: CSRNet(width=options.width, precision=PRECISIONS[name]) for name in options.numbers}
    runs: dict[str, Callable[[], object]] = {
        f"crowdcount {name}": lambda network=network: predict_density(network, picture)
        for name, network in networks.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        whole = CSRNet(width=options.width, precision="float32")
        file = export_model(whole, Path(folder) / "net.onnx", format="onnx")
        rivals = torch_predictions(picture[np.newaxis], options.width) | onnx_predictions(file, picture[np.newaxis])
        runs |= {name: run for name, run in rivals.items() if any(numbers in name for numbers in options.numbers)}
        seconds = in_turn(runs, options.repeats)
    columns = ("what", *SPREAD, "as a multiple of crowdcount's")
    table = Table(f"One picture of {width}x{height}, seconds", columns)
    for name, found in seconds.items():
        ours = "crowdcount bfloat16" if "bfloat16" in name else "crowdcount float32"
        table.rows.append([name, *spread(found), ratio(found, seconds[ours])])
    table.notes.append("Above 1 crowdcount is quicker, in the same numbers and the same run.")
    return [table, counts_in_bfloat16(options)] if "bfloat16" in options.numbers else [table]


def counts_in_bfloat16(options: argparse.Namespace) -> Table:
    """How far the counts of `general` in bfloat16 lie from those in float32, on the bundled drawn pictures."""
    from crowdcount.data.images import load_picture
    from crowdcount.files import data_folder
    from crowdcount.network.loading import load_model
    from crowdcount.network.prediction import predict_density

    files = sorted((data_folder("datasets") / "drawn" / "images").glob("*.jpg"))[: options.pictures]
    networks = [load_model(options.model, precision=precision) for precision in PRECISIONS.values()]
    columns = ("picture", *PRECISIONS, "difference")
    table = Table("Counts in bfloat16 against float32", columns)
    for file in files:
        picture = load_picture(file)
        full, short = (float(predict_density(network, picture).sum()) for network in networks)
        table.rows.append([file.stem, f"{full:.2f}", f"{short:.2f}", f"{abs(short - full) / max(full, 1):.3%}"])
    return table


def step(options: argparse.Namespace) -> list[Table]:
    """A training step of the recipe default: the same layers, batch, loss and optimizer in both."""
    import importlib.util

    import keras
    from rivals import torch_step

    from crowdcount.network.csrnet import CSRNet
    from crowdcount.training.recipes import RECIPES
    from crowdcount.training.start import freeze

    recipe = RECIPES["default"]
    phase, side = recipe.phases[0], options.crop
    pictures = np.stack([picture_of(side, side)] * phase.batch)
    target = np.full((phase.batch, side // 8, side // 8, 1), 0.05, np.float32)
    columns = ("numbers", "what", *SPREAD, "as a multiple of crowdcount's")
    table = Table(f"A training step of {phase.batch} crops of {side} pixels, seconds", columns)
    for name in options.numbers:
        keras.utils.set_random_seed(1)
        model = CSRNet(width=options.width, precision=PRECISIONS[name])
        freeze(model, phase.frozen)
        model.compile(phase.optimizer(1000, 0, 1000), recipe.loss(), jit_compile=False)
        runs: dict[str, Callable[[], object]] = {
            "crowdcount": lambda model=model: model.train_on_batch(pictures, target)
        }
        if importlib.util.find_spec("torch") is not None:
            runs["PyTorch"] = torch_step(pictures, target, phase.frozen, name == "bfloat16", options.width)
        seconds = in_turn(runs, options.repeats)
        for what, found in seconds.items():
            table.rows.append([name, what, *spread(found), ratio(found, seconds["crowdcount"])])
    return [table]


def density(options: argparse.Namespace) -> list[Table]:
    """Density maps against the textbook way: a `gaussian_filter` of the whole picture for each head."""
    from scipy.ndimage import gaussian_filter

    from crowdcount.data.density import FIXED_SIGMA, adaptive_sigma, density_map

    size = (768, 1024)

    def textbook(points: np.ndarray, sigmas: np.ndarray) -> None:
        total = np.zeros(size, np.float32)
        for (x, y), sigma in zip(points, sigmas):
            dot = np.zeros(size, np.float32)
            dot[int(y), int(x)] = 1
            total += gaussian_filter(dot, sigma, mode="constant")

    columns = ("heads", "sigma", *SPREAD, "textbook, heads timed", "textbook, median for all", "times as fast")
    table = Table("Density maps of 1024x768 at stride 1, seconds", columns)
    for heads in options.heads:
        points = np.random.default_rng(0).random((heads, 2)) * (size[1], size[0])
        for name, sigma, sigmas in (
            (f"{FIXED_SIGMA:g}", FIXED_SIGMA, np.full(heads, FIXED_SIGMA)),
            ("adaptive", "adaptive", adaptive_sigma(points)),
        ):
            # What a head costs depends on its sigma alone: some are timed, evenly spread over the sigmas.
            order = np.argsort(sigmas, kind="stable")
            timed = order[(np.arange(min(heads, 10)) + 0.5).astype(int) * (heads // min(heads, 10))]
            seconds = in_turn(
                {
                    "ours": lambda points=points, sigma=sigma: density_map(points, size, sigma=sigma),
                    "textbook": lambda p=points[timed], s=sigmas[timed]: textbook(p, s),
                },
                options.repeats,
            )
            whole = [value * heads / len(timed) for value in seconds["textbook"]]
            row = [heads, name, *spread(seconds["ours"]), len(timed), spread(whole)[0]]
            table.rows.append([*row, f"{ratio(whole, seconds['ours']):.0f}"])
    return [table]


def pipeline(options: argparse.Namespace) -> list[Table]:
    """The recipe's batches from JPEG files, with nothing that reads them but a clock."""
    from crowdcount.data.annotations import Sample
    from crowdcount.drawn.crowds import draw_crowd
    from crowdcount.training.feeding import batches
    from crowdcount.training.recipes import RECIPES

    table = Table("Batches of the recipes from files of 1024x768", ("recipe", "examples a second", "least", "most"))
    scene = draw_crowd(200, size=(768, 1024), seed=1)
    with tempfile.TemporaryDirectory() as folder:
        samples = []
        for number in range(8):
            file = Path(folder) / f"scene-{number}.jpg"
            Image.fromarray(scene.picture).save(file, quality=90)
            samples.append(Sample(file.stem, file, scene.points))
        for name in ("wide", "clear"):
            phase = RECIPES[name].phases[0]
            with batches(samples, phase.crops, batch=phase.batch, sigma=RECIPES[name].sigma) as examples:
                read = iter(examples)
                for _ in range(8):  # what was made ahead
                    next(read)
                ten = in_turn({"": lambda read=read: [next(read) for _ in range(10)]}, options.repeats)[""]
            rates = sorted(10 * phase.batch / seconds for seconds in ten)
            table.rows.append([name, float(np.median(rates)), rates[0], rates[-1]])
    return [table]


def cold(options: argparse.Namespace) -> list[Table]:
    """Processes that start from nothing."""
    table = Table("A cold process, seconds", ("what", *SPREAD))
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{number}.jpg") for number in range(2)]
        for file in files:
            Image.fromarray(picture_of(*options.against_size)).save(file, quality=90)
        python = [sys.executable, "-m", "crowdcount"]
        commands = {
            "`crowdcount --help`": [*python, "--help"],
            "`import crowdcount`": [sys.executable, "-c", "import crowdcount"],
            "`import tensorflow`": [sys.executable, "-c", "import tensorflow"],
            "TensorFlow and Keras, as commands import them": [
                *(sys.executable, "-c", "from crowdcount.cli.common import import_keras; import_keras()")
            ],
            "`crowdcount count PICTURE`": [*python, "count", files[0], "--model", options.model, "--scale", "1"],
            "`crowdcount count`, two pictures": [*python, "count", *files, "--model", options.model, "--scale", "1"],
        }
        runs = {name: lambda command=command: quiet(command) for name, command in commands.items()}
        seconds = in_turn(runs, options.repeats)
    for name, found in seconds.items():
        table.rows.append([name, *spread(found)])
    pairs = zip(seconds["`crowdcount count`, two pictures"], seconds["`crowdcount count PICTURE`"])
    table.rows.append(["the second picture (difference)", *spread([two - one for two, one in pairs])])
    width, height = options.against_size[::-1]
    table.notes.append(f"Pictures of {width}x{height}, at their own size (`--scale 1`).")
    return [table]


def quiet(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


# Counts pictures of a size in a process of its own: what it takes of memory, and seconds a picture.
_COUNTING = """
import json, resource, sys, time
import numpy as np
from crowdcount.network.csrnet import CSRNet
from crowdcount.counting.pictures import count_many
width, height, across, pictures = float(sys.argv[1]), *map(int, sys.argv[2:])
picture = np.random.default_rng(0).integers(0, 256, (height, across, 3), dtype=np.uint8)
model = CSRNet(width=width)
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
next(count_many([picture[:64, :64]], model, scale=1, progress=False))
before, began = used(), time.perf_counter()
for _ in count_many((picture for _ in range(pictures)), model, scale=1, progress=False): pass
print(json.dumps([time.perf_counter() - began, before, used()]))
"""


def counted(options: argparse.Namespace, width: float, height: int, across: int, pictures: int) -> list[float]:
    arguments = [str(value) for value in (width, height, across, pictures)]
    return json.loads(quiet([sys.executable, "-c", _COUNTING, *arguments]).splitlines()[-1])


def memory(options: argparse.Namespace) -> list[Table]:
    """The most memory of a process that counts pictures of a size."""
    columns = ("size", "megapixels", "before, MiB", "most, MiB")
    table = Table("Memory of a process that counts one picture, in whole or in tiles", columns)
    for height, width in options.sizes:
        _, before, most = counted(options, options.width, height, width, 1)
        table.rows.append([f"{width}x{height}", height * width / 1e6, f"{before:.0f}", f"{most:.0f}"])
    return [table]


def growth(options: argparse.Namespace) -> list[Table]:
    """Time and memory against pixels and against pictures, by a narrow network: the work around it weighs more."""
    columns = ("seconds", "seconds a unit", "most, MiB")
    pixels = Table("A picture, by its megapixels", ("megapixels", *columns))
    for side in options.sides:
        seconds, _, most = counted(options, options.narrow, side, side, 1)
        pixels.rows.append([side * side / 1e6, seconds, seconds / (side * side / 1e6), f"{most:.0f}"])
    many = Table("Pictures of 320x240 in one run, by their number", ("pictures", *columns))
    for number in options.lots:
        seconds, _, most = counted(options, options.narrow, 240, 320, number)
        many.rows.append([number, seconds, seconds / number, f"{most:.0f}"])
    for table in (pixels, many):
        units, seconds = (np.array([float(row[column]) for row in table.rows]) for column in (0, 1))
        if len(units) > 1:
            power = np.polyfit(np.log(units), np.log(seconds), 1)[0]
            table.notes.append(f"The time grows with the power {power:.2f}: 1 is linear.")
        table.notes.append(f"A network of width {options.narrow:g}.")
    if options.page:
        plot([pixels, many], Path(options.page).with_name("performance_growth.png"))
    return [pixels, many]


def plot(tables: Sequence[Table], file: Path) -> None:
    """Time and memory of both tables, side by side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(tables), figsize=(9, 3.4), layout="constrained")
    for panel, table in zip(panels, tables):
        units, seconds, most = ([float(row[column]) for row in table.rows] for column in (0, 1, 3))
        panel.loglog(units, seconds, "o-", label="seconds")
        panel.loglog(units, [value / 1024 for value in most], "s--", label="memory, GiB")
        panel.set_xlabel(table.columns[0])
        panel.legend()
    with atomic_path(file) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    plt.close(figure)


PARTS = {part.__name__: part for part in (predict, against, step, density, pipeline, cold, memory, growth)}


# --- The command --------------------------------------------------------------------------------------------


def fill(page: Path, part: str, text: str) -> None:
    """Put a part's tables between its marks in a page."""
    before, mark, rest = page.read_text("utf-8").partition(f"<!-- {part} -->\n")
    _, end, after = rest.partition(f"<!-- end of {part} -->")
    if not (mark and end):
        raise SystemExit(f"{page} has no place for {part}: it needs <!-- {part} --> and <!-- end of {part} -->")
    with atomic_path(page) as temporary:
        temporary.write_text(f"{before}{mark}{text}\n{end}{after}", "utf-8")


def computed_in_hardware() -> list[str]:
    """Where bfloat16 is emulated nobody computes with it, and it takes many times as long."""
    from crowdcount.network.precision import choose_precision

    return [name for name, precision in PRECISIONS.items() if precision in ("float32", choose_precision())]


def size(text: str) -> tuple[int, int]:
    width, height = map(int, text.split("x"))
    return height, width


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--page", metavar="FILE")
    parser.add_argument("--model", default="general", help="for cold and for the counts in bfloat16")
    parser.add_argument("--pictures", type=int, default=8, help="whose counts in bfloat16 are compared")
    parser.add_argument("--width", type=float, default=1.0, help="share of the network's filters")
    parser.add_argument("--numbers", nargs="+", choices=PRECISIONS, help="(default: what the processor computes)")
    parser.add_argument("--narrow", type=float, default=1 / 16, help="the same for growth")
    parser.add_argument("--sizes", type=size, nargs="+", default=[(384, 512), (768, 1024), (2160, 3840)])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--most", type=float, default=10, help="megapixels of a batch; larger ones are left out")
    parser.add_argument("--against-size", type=size, default=(768, 1024))
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--heads", type=int, nargs="+", default=[50, 500, 5000])
    parser.add_argument("--sides", type=int, nargs="+", default=[500, 1000, 2000, 4000, 10000])
    parser.add_argument("--lots", type=int, nargs="+", default=[10, 100, 1000, 10000], help="pictures, for growth")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    command = parser()
    options = command.parse_args(argv)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        command.error(f"there is no part {unknown[0]!r}: {', '.join(PARTS)}")
    options.numbers = options.numbers or computed_in_hardware()
    where = machine()
    print("\n".join(f"- {line}" for line in where), flush=True)
    record: dict = {"machine": where, "repeats": options.repeats, "parts": {}}
    for part in options.parts or PARTS:
        began = time.perf_counter()
        tables = PARTS[part](options)
        text = "\n\n".join(table.markdown() for table in tables)
        print(f"\n{text}\n\n({part} took {time.perf_counter() - began:.0f} s)", flush=True)
        record["parts"][part] = [table.record() for table in tables]
        if options.page:
            page = Path(options.page)
            fill(page, part, f"\n{text}\n\n{'; '.join(where)}.\n")
        if options.json:
            with atomic_path(options.json) as temporary:
                temporary.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
