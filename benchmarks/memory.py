"""Show the memory of this process over many pictures, an hour of video, and one large photo.

    python benchmarks/memory.py [--pictures N] [--seconds N] [--photo MEGAPIXELS] [--model NAME_OR_FILE]

Pictures are drawn noise of several small sizes, counted one after the other; the video has a frame a second, of which
each is counted. The network is a tiny one with random weights unless `--model` names another: what grows would grow
with it too. Of the photo the peak is told (on Unix), in a process that does nothing else where only `--photo` is given.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from crowdcount.counting.pictures import count
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.loading import Model
from crowdcount.video.counting import count_video

SIZES = ((48, 64), (64, 96), (72, 88), (96, 64))
POINTS = 20


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=0, help="how many, as 10000")
    parser.add_argument("--seconds", type=int, default=0, help="of video, as 3600")
    parser.add_argument("--photo", type=float, default=0, help="megapixels of one photo, as 12")
    parser.add_argument("--model", help="(default: a tiny network)")
    arguments = parser.parse_args(argv)
    model = arguments.model or CSRNet(width=1 / 16)

    if arguments.photo:
        side = round((arguments.photo * 1e6 / 12) ** 0.5)
        photo = np.random.default_rng(0).integers(0, 256, (3 * side, 4 * side, 3), np.uint8)
        result = count(photo, model=model, progress=False)
        print(
            f"a photo of {result.width}x{result.height}: {peak():.0f} MiB at most, {result.seconds:.0f} s", flush=True
        )
    if arguments.pictures:
        print_curve("pictures", arguments.pictures, counted_pictures(arguments.pictures, model))
    if arguments.seconds:
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "hour.mp4"
            write_video(video, arguments.seconds)
            counts = count_video(video, every=1, model=model, notify=lambda sentence: None)
            print_curve("seconds of video", arguments.seconds, (frame.time for frame in counts))


def counted_pictures(number: int, model: Model) -> Iterator[float]:
    rng = np.random.default_rng(0)
    for index in range(number):
        yield count(rng.integers(0, 256, (*SIZES[index % len(SIZES)], 3), np.uint8), model=model).count


def write_video(path: Path, seconds: int) -> None:
    import av

    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(8)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.height, stream.width = 48, 64
        for second in range(seconds):
            for packet in stream.encode(av.VideoFrame.from_ndarray(frames[second % 8], format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def print_curve(what: str, number: int, work: Iterator[float]) -> None:
    """A row of the memory after each twentieth, and the growth after the first tenth, in which caches fill."""
    steps = sorted({max(1, round(number * point / POINTS)) for point in range(1, POINTS + 1)})
    curve = []
    for done, _ in enumerate(work, start=1):
        if done in steps:
            curve.append((done, resident()))
    print(f"| {what} | " + " | ".join(str(done) for done, _ in curve) + " |")
    print("|---" * (len(curve) + 1) + "|")
    print("| MiB | " + " | ".join(f"{mebibytes:.0f}" for _, mebibytes in curve) + " |")
    settled = curve[len(curve) // 10 :]
    slope = np.polyfit(*zip(*settled), 1)[0] * 1000 if len(settled) > 1 else 0.0
    print(f"after the first tenth: {slope:+.2f} MiB a thousand", flush=True)


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
