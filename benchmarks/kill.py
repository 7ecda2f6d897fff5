"""Kill crowdcount's commands (SIGKILL) at random points of their work, and look at what is left and how it goes on.

    python benchmarks/kill.py [--points N] [--work NAME ...] [--seed N]

Each command runs once undisturbed, and then N times in a folder of its own: it is killed at a random moment, what it
left is looked at, and it is started again, with `--resume` where it has that, and ends by itself. In the end there must
be what the undisturbed run left, but for seconds and dates; in between no file may be there that is not whole. A tiny
network with random weights and drawn pictures keep it short. Unix only: the commands run in forks of this process,
which has the libraries imported, so that moments of work are hit and not of imports.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import numpy as np

from crowdcount import cli
from crowdcount.network import export  # noqa: F401 - imported here once for all forks
from crowdcount.training import run  # noqa: F401
from crowdcount.video import counting, files  # noqa: F401

PICTURES, FRAMES = 40, 40
SIDE = (96, 128)
LONGEST = 1800  # seconds for a command


@dataclass
class Work:
    """A command with what it reads, and how its results are looked at.

    Args:
        command: the words behind `crowdcount`, from the folder of the inputs and the one of the results: those to
            begin with, or to go on with what is there.
        whole: raises where a file that is not hidden is not whole.
        result: what must be alike in the end, from the folder of the results.
    """

    command: Callable[[Path, Path], list[str]]
    whole: Callable[[Path], None]
    result: Callable[[Path], object]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=20, help="times that each command is killed (default: 20)")
    parser.add_argument("--work", nargs="+", choices=list(WORKS), default=list(WORKS), help="(default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    arguments = parser.parse_args(argv)

    moments = random.Random(arguments.seed)
    failures = []
    print(
        "| work | undisturbed | killed | had left nothing | hidden leftovers | ended otherwise |"
        "\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        inputs = root / "inputs"
        in_fork(lambda: draw_inputs(inputs), root / "log")
        for name in arguments.work:
            told = tried(WORKS[name], inputs, root / name, arguments.points, moments)
            failures += [f"{name}: {line}" for line in told.failures]
            print(
                f"| {name} | {told.seconds:.1f} s | {told.killed} of {arguments.points} | {told.nothing} | "
                f"{told.hidden} | {len(told.failures)} |",
                flush=True,
            )
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


@dataclass
class Told:
    seconds: float = 0.0
    killed: int = 0
    nothing: int = 0
    hidden: int = 0
    failures: list[str] = field(default_factory=list)


def tried(work: Work, inputs: Path, root: Path, points: int, moments: random.Random) -> Told:
    told = Told()
    undisturbed = root / "undisturbed"
    undisturbed.mkdir(parents=True)
    began = time.monotonic()
    if command(work.command(inputs, undisturbed), undisturbed):
        raise SystemExit(f"The undisturbed run failed: {log_of(undisturbed)}")
    told.seconds = time.monotonic() - began
    work.whole(undisturbed)
    expected = work.result(undisturbed)
    for point in range(points):
        out = root / str(point)
        # Stratified, so that few points cover the work too; earlier where it was quicker than the undisturbed run.
        moment = (point + moments.random()) / points * told.seconds
        while (status := killed(work.command(inputs, out), out, moment)) == 0:
            moment *= 0.9
        try:
            assert status == -signal.SIGKILL, f"it failed by itself: {log_of(out)}"
            told.killed += 1
            told.nothing += not any(not path.name.startswith(".") for path in out.iterdir())
            told.hidden += any(path.name.startswith(".") and path.suffix != ".lock" for path in out.rglob(".*"))
            work.whole(out)
            if command(work.command(inputs, out), out):
                raise AssertionError(f"started again, it failed: {log_of(out)}")
            work.whole(out)
            assert_alike(work.result(out), expected)
        except Exception as error:
            told.failures.append(f"killed after {moment:.2f} s: {type(error).__name__}: {error}")
        shutil.rmtree(out)
    return told


def killed(words: list[str], out: Path, moment: float) -> int:
    """Status of a command that begins in an empty folder and is killed, unless it has ended before."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    return command(words, out, kill_after=moment)


def assert_alike(found: object, expected: object) -> None:
    if isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), f"{len(found)} instead of {len(expected)}: {found} {expected}"
        for a, b in zip(found, expected):
            assert_alike(a, b)
    elif isinstance(expected, float):
        assert abs(found - expected) <= 1e-3 * max(1.0, abs(expected)), f"{found} instead of {expected}"
    else:
        assert found == expected, f"{found!r} instead of {expected!r}"


# --- Processes ----------------------------------------------------------------------------------------------


def command(words: list[str], out: Path, kill_after: float | None = None) -> int:
    return in_fork(lambda: cli.main(words), out.with_name(f"{out.name}.log"), kill_after)


def log_of(out: Path) -> str:
    return out.with_name(f"{out.name}.log").read_text(errors="replace").strip()[-300:]


def in_fork(work: Callable[[], int | None], log: Path, kill_after: float | None = None) -> int:
    """Exit status of a fork that does this; minus the signal where it was killed, as one that hangs is."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 99
        signal.alarm(LONGEST)
        try:
            with open(log, "w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
                status = work() or 0
                sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    if kill_after is not None:
        until = time.monotonic() + kill_after
        while time.monotonic() < until:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# --- What the commands read ---------------------------------------------------------------------------------


def draw_inputs(folder: Path) -> None:
    import av
    import keras
    from PIL import Image

    from crowdcount.network.csrnet import CSRNet
    from crowdcount.network.weight_files import save_weights

    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["picture,x,y,split"]
    for number in range(PICTURES):
        Image.fromarray(rng.integers(0, 256, (*SIDE, 3), np.uint8)).save(folder / "images" / f"{number:02}.png")
        split = "val" if number % 4 == 3 else "train"
        rows += [
            f"images/{number:02}.png,{x:.1f},{y:.1f},{split}" for x, y in rng.uniform((101, 10), (125, 90), (5, 2))
        ]
    (folder / "points.csv").write_text("\n".join(rows) + "\n")
    with av.open(str(folder / "street.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.height, stream.width = SIDE
        for _ in range(FRAMES):
            picture = rng.integers(0, 256, (*SIDE, 3), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    keras.utils.set_random_seed(5)
    card = {"name": "tiny", "network": {"design": "B", "width": 1 / 16}}
    save_weights(CSRNet(width=1 / 16), folder / "tiny.weights.h5", card)


def model(inputs: Path) -> list[str]:
    return ["--model", str(inputs / "tiny.weights.h5")]


# --- The commands and their results -------------------------------------------------------------------------


def rows_of(path: Path) -> list[dict]:
    """A table's rows; each must have all its cells, but for the last one of a run that was killed."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        assert not path.stat().st_size or path.read_bytes().endswith(b"\n"), f"{path.name} ends within a row"
        rows = list(csv.DictReader(file))
    assert all(None not in row and None not in row.values() for row in rows), f"{path.name} has a row that is not whole"
    return rows


def numbers(rows: list[dict], *columns: str) -> list:
    return [[row.get("picture", ""), *(float(row[column]) for column in columns)] for row in rows]


def whole_count(out: Path) -> None:
    counted = rows_of(out / "counts.csv")
    heads = rows_of(out / "heads.csv")
    # Heads are written before their picture's row: at most one picture more has some.
    more = {row["picture"] for row in heads} - {os.path.relpath(row["picture"], out) for row in counted}
    assert len(more) <= 1, f"heads of {more} without counts"
    for path in (out / "overlays").glob("[!.]*.png") if (out / "overlays").exists() else ():
        from PIL import Image

        with Image.open(path) as image:
            image.load()
    whole_report(out)


def whole_report(out: Path) -> None:
    path = out / "report.html"
    assert not path.exists() or path.read_text().rstrip().endswith("</html>"), "the report is cut off"


def result_of_count(out: Path) -> list:
    rows = sorted(rows_of(out / "counts.csv"), key=lambda row: row["picture"])
    heads = sorted((row["picture"], float(row["x"]), float(row["y"])) for row in rows_of(out / "heads.csv"))
    overlays = sorted(path.name for path in (out / "overlays").glob("[!.]*.png"))
    return [numbers(rows, "count", "scale"), heads, overlays, (out / "report.html").read_text().count(".png")]


def whole_training(out: Path) -> None:
    rows_of(out / "history.csv")
    for path in out.glob("[!.]*.h5"):
        with h5py.File(path, "r") as file:
            file.visititems(lambda name, item: item[()] if hasattr(item, "dtype") else None)
    for path in out.glob("[!.]*.json"):
        json.loads(path.read_text())
    from crowdcount.network.cards import checksum, model_card

    for path in out.glob("[!.]*.weights.h5"):
        assert model_card(path).sha256 == checksum(path), f"the card is not that of {path.name}"


def result_of_training(out: Path) -> list:
    from crowdcount.network.weight_files import checksum

    for name in ("best", "last"):
        card = json.loads((out / f"{name}.json").read_text())
        assert card["sha256"] == checksum(out / f"{name}.weights.h5"), f"the card is not that of {name}"
    rows = rows_of(out / "history.csv")  # of some epochs nothing is validated
    return [[float(row[column]) for column in ("epoch", "loss", "val_mae") if row[column]] for row in rows]


def whole_video(out: Path) -> None:
    rows_of(out / "counts.csv")
    film = out / "film.mp4"
    if film.exists():
        import av

        with av.open(str(film)) as container:
            assert sum(1 for _ in container.decode(video=0)) >= FRAMES, "the film is cut off"


def result_of_video(out: Path) -> list:
    assert (out / "film.mp4").exists()
    return [[float(row["time"]), float(row["count"])] for row in rows_of(out / "counts.csv")]


def whole_litert(out: Path) -> None:
    path = out / "tiny.tflite"
    assert not path.exists() or path.stat().st_size > 50_000, "the file is cut off"


def whole_saved_model(out: Path) -> None:
    path = out / "saved"
    parts = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
    assert not path.exists() or all((path / part).stat().st_size > 0 for part in parts), "the folder is not whole"


def result_of_litert(out: Path) -> str:
    return hashlib.sha256((out / "tiny.tflite").read_bytes()).hexdigest()  # the same bytes each time


def result_of_saved_model(out: Path) -> float:
    """What it counts; its bytes lie in another order each time."""
    counted = out / "counted"

    def count() -> None:
        import tensorflow as tf

        pictures = np.random.default_rng(0).integers(0, 256, (1, *SIDE, 3), np.uint8)
        network = tf.saved_model.load(str(out / "saved"))
        counted.write_text(str(float(network.serve(pictures)["count"][0])))

    if in_fork(count, out.with_name(f"{out.name}.log")):
        raise AssertionError(f"the SavedModel counts nothing: {log_of(out)}")
    return float(counted.read_text())


WORKS = {
    "training": Work(
        lambda inputs, out: (
            ["train", "csv", "--root", str(inputs), "--out", str(out), "--epochs", "6", "--width", "1/64"]
            + ["--init", "none"]
            if not (out / "checkpoint.h5").exists()
            else ["train", "--out", str(out), "--resume"]
        ),
        whole_training,
        result_of_training,
    ),
    "folder, resumed": Work(
        lambda inputs, out: (
            ["count", str(inputs / "images"), *model(inputs), "--csv", str(out / "counts.csv"), "--resume", "--heads"]
            + [str(out / "heads.csv"), "--overlay", str(out / "overlays"), "--report", str(out / "report.html")]
        ),
        whole_count,
        result_of_count,
    ),
    "report": Work(
        lambda inputs, out: ["count", str(inputs / "images"), *model(inputs), "--report", str(out / "report.html")],
        whole_report,
        lambda out: (out / "report.html").read_text().count(".png"),
    ),
    "video": Work(
        lambda inputs, out: (
            ["video", str(inputs / "street.mp4"), *model(inputs), "--csv", str(out / "counts.csv")]
            + ["--annotated", str(out / "film.mp4"), "--every", "1"]
        ),
        whole_video,
        result_of_video,
    ),
    "export, LiteRT": Work(
        lambda inputs, out: ["export", *model(inputs), "--format", "litert", "--out", str(out / "tiny.tflite")],
        whole_litert,
        result_of_litert,
    ),
    "export, SavedModel": Work(
        lambda inputs, out: ["export", *model(inputs), "--format", "saved_model", "--out", str(out / "saved")],
        whole_saved_model,
        result_of_saved_model,
    ),
}


if __name__ == "__main__":
    sys.exit(main())
