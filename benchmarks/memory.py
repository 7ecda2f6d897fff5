"""Show the memory of this process over many pictures, an hour of video, and one large photo.

    python benchmarks/memory.py [--pictures N] [--seconds N] [--photo MEGAPIXELS] [--model NAME] [--figure FILE]

The pictures are files: pieces of the drawn sample, of about 320x240 pixels, of which hardly two have one size. They are
counted as `crowdcount count FOLDER --csv FILE` does. The video pans over the sample, 320x240 pixels at 5 frames a
second, of which one a second is counted. Of a photo the peak is told (on Unix): give it alone, so that the process does
nothing else. The table holds the memory after each tenth, the figure all that was measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image
from tqdm import tqdm

from crowdcount.counting.pictures import count, count_many
from crowdcount.data.images import load_picture
from crowdcount.files import atomic_path, data_folder
from crowdcount.video.counting import count_video

HEIGHT, WIDTH = 240, 320
POINTS = 200
RATE = 5  # frames a second


@dataclass(frozen=True)
class Curve:
    """Args:
    what: what was done again and again.
    done: how often, at each point.
    memory: MiB of the process then.
    """

    what: str
    done: list[int]
    memory: list[float]

    def growth(self) -> float:
        """MiB a thousand after the first tenth, in which caches fill."""
        settled = [(done, mebibytes) for done, mebibytes in zip(self.done, self.memory) if done >= self.done[-1] / 10]
        return float(np.polyfit(*zip(*settled), 1)[0] * 1000) if len(settled) > 1 else 0.0

    def text(self) -> str:
        tenths = range(len(self.done) - 1, 0, -max(1, len(self.done) // 10))
        shown = sorted({0, *tenths})
        rows = [[self.what, *(self.done[point] for point in shown)]]
        rows += [["---"] * len(rows[0]), ["MiB", *(f"{self.memory[point]:.0f}" for point in shown)]]
        table = "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)
        return f"{table}\n\nAfter the first tenth: {self.growth():+.2f} MiB a thousand {self.what}.\n"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=0, help="how many, as 10000")
    parser.add_argument("--seconds", type=int, default=0, help="of video, as 3600")
    parser.add_argument("--photo", type=float, default=0, help="megapixels of one photo, as 12")
    parser.add_argument("--model", default="light", help="(default: %(default)s)")
    parser.add_argument("--figure", type=Path, help="PNG file for the curves")
    arguments = parser.parse_args(argv)

    if arguments.photo:
        side = round((arguments.photo * 1e6 / 12) ** 0.5)
        photo = np.random.default_rng(0).integers(0, 256, (3 * side, 4 * side, 3), np.uint8)
        result = count(photo, model=arguments.model, progress=False)
        print(f"A photo of {result.width}x{result.height}: {peak():.0f} MiB at most.", flush=True)
    curves = []
    with tempfile.TemporaryDirectory() as folder:
        if arguments.pictures:
            pictures = write_pictures(Path(folder), arguments.pictures)
            results = count_many(pictures, arguments.model, csv=Path(folder) / "counts.csv", progress=False)
            curves.append(curve("pictures", arguments.pictures, results))
        if arguments.seconds:
            video = write_video(Path(folder) / "hour.mp4", arguments.seconds)
            counts = count_video(video, model=arguments.model, notify=lambda sentence: None)
            curves.append(curve("seconds of video", arguments.seconds, counts))
    if arguments.figure and curves:
        draw(curves, arguments.model, arguments.figure)


def sample() -> np.ndarray:
    return load_picture(data_folder("datasets") / "sample.jpg")


def write_pictures(folder: Path, number: int) -> list[str]:
    crowd, rng = sample(), np.random.default_rng(0)
    paths = []
    for index in range(number):
        size = (rng.uniform(0.85, 1.15, 2) * (HEIGHT, WIDTH)).astype(int)
        top, left = rng.integers(0, np.array(crowd.shape[:2]) - size)
        paths.append(str(folder / f"{index:06}.jpg"))
        Image.fromarray(crowd[top : top + size[0], left : left + size[1]]).save(paths[-1])
    return paths


def write_video(path: Path, seconds: int) -> Path:
    import av

    crowd = sample()
    ways = crowd.shape[0] - HEIGHT, crowd.shape[1] - WIDTH
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.height, stream.width = HEIGHT, WIDTH
        for number in range(seconds * RATE):
            top, left = (abs(number * step % (2 * way) - way) for step, way in zip((1, 2), ways))
            frame = np.ascontiguousarray(crowd[top : top + HEIGHT, left : left + WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def curve(what: str, number: int, work: Iterable) -> Curve:
    """The memory after each part of the work, and after the first piece."""
    steps = {1, *(max(1, round(number * point / POINTS)) for point in range(1, POINTS + 1))}
    measured = Curve(what, *map(list, zip(*measure(tqdm(work, what, number, mininterval=10), steps))))
    print(measured.text(), flush=True)
    return measured


def measure(work: Iterable, steps: set[int]) -> Iterator[tuple[int, float]]:
    for done, _ in enumerate(work, start=1):
        if done in steps:
            yield done, resident()


def draw(curves: Sequence[Curve], model: str, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(4.5 * len(curves), 3), layout="constrained", squeeze=False)
    for panel, measured in zip(panels[0], curves):
        panel.plot(measured.done, measured.memory)
        panel.set(xlabel=measured.what, ylabel="memory of the process, MiB", ylim=(0, 1.15 * max(measured.memory)))
        panel.set_title(f"{model}: {measured.growth():+.1f} MiB a thousand", fontsize=10)
        panel.grid(alpha=0.3)
    with atomic_path(file) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    plt.close(figure)


def resident() -> float:
    """MiB of this process in memory; its peak where the system tells no more."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return peak()


def peak() -> float:
    """MiB that this process had in memory at most."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


if __name__ == "__main__":
    main()
