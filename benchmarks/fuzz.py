"""Give crowdcount damaged files of every kind: each must be read or refused with a message, in 10 s and 2 GiB.

    python benchmarks/fuzz.py [--kind picture|mat|csv|json|zones|card|weights|video] [--minutes N] [--keep FOLDER]

Guided by coverage, with atheris (`pip install atheris`, libFuzzer for Python): it begins with one small sound file of
each sort and keeps what reaches new lines of crowdcount. It ends with the first input that raises anything else than a
`CrowdCountError`, computes for 10 s, or takes 2 GiB, and leaves that input in the folder of `--keep`; a kind that ends
by its time has none. Where no kind is named all share the minutes, each in a process of its own; an input after two
minutes of which there is no answer is told then and fails nothing, since a machine may be busy. Without atheris,
`tests/test_fuzz.py` changes the same files at random.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

LONGEST = 10  # seconds of the processor for one input
STARVED = 120  # seconds of the clock, after which it is taken to wait for ever
MOST_MEMORY = 2048  # MiB
HANGS = 70  # exit status of libFuzzer
# libFuzzer tries no longer inputs: small files have all that large ones have.
MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Kind:
    """Args:
    corpus: sound files to begin with.
    read: reads one as crowdcount does, from a folder of its own.
    """

    corpus: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], None]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=sorted(KINDS), help="(default: all)")
    parser.add_argument("--minutes", type=float, default=60, help="(default: 60)")
    parser.add_argument("--keep", default=".", help="folder for the input that is not refused (default: this one)")
    parser.add_argument("--seed", type=int, default=0, help="0: another each time (default: 0)")
    arguments = parser.parse_args(argv)
    if arguments.kind is None:
        statuses = [in_its_process(name, arguments) for name in sorted(KINDS)]
        return int(any(status not in (0, HANGS) for status in statuses))
    fuzz(arguments)  # ends the process
    return 0


def in_its_process(name: str, arguments: argparse.Namespace) -> int:
    """Try a kind and print a line of it; of one that found something, what it said at its end. Its exit status."""
    words = [sys.executable, __file__, "--kind", name, "--minutes", str(arguments.minutes / len(KINDS))]
    words += ["--keep", arguments.keep, "--seed", str(arguments.seed)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    told = dict(re.findall(r"^stat::(\w+):\s+(\d+)", done.stdout, re.MULTILINE))
    found = {0: "nothing found", HANGS: f"an input took longer than {STARVED} s"}.get(done.returncode, "FAILED")
    print(
        f"{name}: {told.get('number_of_executed_units')} inputs, {told.get('peak_rss_mb')} MiB at most, {found}",
        flush=True,
    )
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-60:]), flush=True)
    return done.returncode


def fuzz(arguments: argparse.Namespace) -> None:
    import atheris

    with atheris.instrument_imports(include=["crowdcount"]):
        import_readers()
    kind = KINDS[arguments.kind]
    folder = Path(tempfile.mkdtemp())
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(kind.corpus()):
        (corpus / str(number)).write_bytes(data)
    (folder / "work").mkdir()
    flags = [
        f"-max_total_time={round(60 * arguments.minutes)}",
        f"-timeout={STARVED}",
        f"-rss_limit_mb={MOST_MEMORY}",
        f"-max_len={MOST_BYTES}",
        f"-artifact_prefix={os.path.join(arguments.keep, arguments.kind)}-",
        "-print_final_stats=1",
        f"-seed={arguments.seed}",
    ]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], lambda data: answered(kind, data, folder / "work"))
    atheris.Fuzz()


def answered(kind: Kind, data: bytes, folder: Path) -> None:
    """Read an input; raises what is no answer to it."""
    from crowdcount.errors import CrowdCountError

    began = time.process_time()
    try:
        kind.read(data, folder)
    except CrowdCountError as error:
        assert str(error).strip() and len(str(error)) < 5000, f"no message that says anything: {error!r:.200}"
    spent = time.process_time() - began
    assert spent < LONGEST, f"{spent:.1f} s of the processor"


def import_readers() -> None:
    """All modules that the kinds use: atheris follows those that are imported under its eyes."""
    import crowdcount.area.ground
    import crowdcount.area.zone_files
    import crowdcount.counting.ranges
    import crowdcount.data.annotations
    import crowdcount.data.exif
    import crowdcount.data.exports.detect
    import crowdcount.data.readers.matlab
    import crowdcount.network.kinds
    import crowdcount.network.torch_weights
    import crowdcount.video.frames  # noqa: F401


# --- What is read, and what sound files look like -----------------------------------------------------------


def some_pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def pictures() -> list[bytes]:
    from PIL import Image

    def encoded(image: Image.Image, kind: str, **options) -> bytes:
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    color, gray = Image.fromarray(some_pixels(16, 24, 3)), Image.fromarray(some_pixels(16, 24))
    wide = Image.fromarray(some_pixels(16, 24).astype(np.uint16) * 16)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = [encoded(color, kind) for kind in ("PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000")]
    found += [encoded(color, "JPEG", exif=exif), encoded(gray, "PNG"), encoded(wide, "PNG"), encoded(wide, "TIFF")]
    found.append(encoded(color, "TIFF", compression="tiff_lzw", save_all=True, append_images=[color.resize((8, 8))]))
    found.append(encoded(color.convert("P"), "PNG", transparency=0))
    return found


def read_picture(data: bytes, folder: Path) -> None:
    from crowdcount.data.exif import taken_at
    from crowdcount.data.images import load_picture, picture_size

    taken_at(io.BytesIO(data))
    # No more than the memory that is looked after.
    picture = load_picture(data, max_pixels=20_000_000)
    assert picture.dtype == np.uint8 and picture.ndim == 3
    assert picture_size(data) == picture.shape[:2]


def mats() -> list[bytes]:
    import h5py
    import scipy.io

    points = np.array([[1.5, 2.5], [3.0, 4.0]])
    inner = np.empty((1, 1), dtype=[("location", object), ("number", object)])
    inner[0, 0] = (points, np.array([[2]], np.uint16))
    outer = np.empty((1, 1), dtype=object)
    outer[0, 0] = inner
    found = []
    for content in ({"image_info": outer}, {"annPoints": points}):
        for compressed in (False, True):
            file = io.BytesIO()
            scipy.io.savemat(file, content, do_compression=compressed)
            found.append(file.getvalue())
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content["annPoints"] = points.T
        content["annPoints"].attrs["MATLAB_class"] = np.bytes_("double")
    return [*found, file.getvalue()]


def read_mat(data: bytes, folder: Path) -> None:
    from crowdcount.data.readers.matlab import read_points

    file = folder / "GT_a.mat"
    file.write_bytes(data)
    faults: list[str] = []
    points = read_points(file, lambda file, problem: faults.append(problem))
    assert points is not None or faults


CSVS = (
    "picture,x,y\na.png,1.5,2\na.png,,\n",
    "picture;x;y\na.png;1,5;2\n",
    '#filename,region_shape_attributes\na.png,"{""name"":""point"",""cx"":1,""cy"":2}"\n',
    "picture,x,y,split,ignore\na.png,1,2,train,\na.png,,,train,1 1 5 5\n",
    "image,xmin,ymin,xmax,ymax,label\na.png,1,2,3,4,head\n",
)
JSONS = (
    {"unit": "pixels", "pictures": [
        {"picture": "a.png", "points": [[1, 2]], "count": 1, "roi": [[[0, 0], [9, 0], [9, 9]]]}]},
    {"images": [{"id": 1, "file_name": "a.png", "width": 24, "height": 16}],
     "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "keypoints": [1, 2, 2]}],
     "categories": [{"id": 1, "name": "head"}]},
    {"shapes": [{"label": "head", "points": [[1, 2]], "shape_type": "point"}], "imagePath": "a.png"},
    [{"data": {"image": "a.png"}, "annotations": [{"result": [
        {"type": "keypointlabels", "original_width": 24, "original_height": 16,
         "value": {"x": 5, "y": 6, "width": 0.1, "keypointlabels": ["head"]}}]}]}],
    [{"data": {"image": "a.png"}, "annotations": [{"result": [
        {"type": "rectanglelabels", "original_width": 24, "original_height": 16,
         "value": {"x": 5, "y": 6, "width": 10, "height": 9, "rotation": 3, "rectanglelabels": ["head"]}}]}]}],
    {"a.png1": {"filename": "a.png", "size": 1, "file_attributes": {}, "regions": [
        {"shape_attributes": {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}, "region_attributes": {}}]}},
)  # fmt: skip


def with_pictures(folder: Path) -> None:
    if not (folder / "a.png").exists():
        from PIL import Image

        Image.fromarray(some_pixels(16, 24, 3)).save(folder / "a.png")


def annotations(suffix: str) -> Callable[[bytes, Path], None]:
    def read(data: bytes, folder: Path) -> None:
        from crowdcount.data.annotations import read_csv, read_json
        from crowdcount.data.exports.detect import read_any
        from crowdcount.errors import CrowdCountError

        with_pictures(folder)
        file = folder / f"points{suffix}"
        file.write_bytes(data)
        faults: list[str] = []
        records = read_any(file, lambda file, problem: faults.append(problem))
        assert all(np.isfinite(record.points).all() for record in records)
        try:
            samples = (read_csv if suffix == ".csv" else read_json)(file)
        except CrowdCountError as error:
            assert "\n" not in str(error), f"a message of several lines: {error}"
        else:
            assert all(np.isfinite(sample.points).all() for sample in samples)

    return read


ZONES = (
    [{"name": "gate", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}],
    [{"name": "gate", "polygon": [[0, 0], [50, 0], [50, 60]]}, {"polygon": [[60, 0], [64, 0], [64, 60]]}],
    {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "a"},
     "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}}]},
    {"shapes": [{"label": "a", "points": [[1, 2], [30, 40]], "shape_type": "rectangle"}]},
    {"_via_img_metadata": {"a.png1": {"filename": "a.png", "size": 1, "regions": [
        {"shape_attributes": {"name": "polygon", "all_points_x": [1, 2, 30], "all_points_y": [1, 20, 3]},
         "region_attributes": {"name": "gate"}},
        {"shape_attributes": {"name": "rect", "x": 40, "y": 2, "width": 8, "height": 9}, "region_attributes": {}}]}}},
    {"points": [[0, 0, 0, 0], [64, 0, 8, 0], [64, 64, 8, 4], [0, 64, 0, 4]]},
)  # fmt: skip


def read_zone_file(data: bytes, folder: Path) -> None:
    from crowdcount.area.ground import read_ground
    from crowdcount.area.zone_files import read_zones
    from crowdcount.area.zones import count_zones
    from crowdcount.errors import CrowdCountError

    file = folder / "zones.json"
    file.write_bytes(data)
    with suppress(CrowdCountError):
        read_ground(file)
    counts = count_zones(np.ones((8, 8), np.float32), read_zones(file), (64, 64))
    assert all(0 <= people <= 64.001 for people in counts.values()), counts


def cards() -> list[bytes]:
    kinds = {"density": [9.0] * 20, "fineness": [0.5] * 20, "brightness": [99.0] * 20}
    calibration = {"pictures": 20, "true": [10.0] * 20, "predicted": [11.0] * 20} | kinds
    card = {
        "name": "tiny",
        "network": {"design": "B", "width": 1 / 64},
        "thing": "cells",
        "sha256": "0" * 64,
        "sizes": {"pixels": 786432, "shrinks": 0.9, "grows": 1.5},
        "calibration": calibration,
    }
    return [json.dumps(card).encode(), json.dumps({"network": {"design": "A"}}).encode()]


def read_card(data: bytes, folder: Path) -> None:
    from crowdcount.counting.ranges import Calibration, usable_calibration
    from crowdcount.network.cards import model_card

    (folder / "tiny.weights.h5").touch()
    (folder / "tiny.json").write_bytes(data)
    card = model_card(folder / "tiny.weights.h5")
    calibration = Calibration.from_card(card.content)
    usable_calibration(folder / "tiny.weights.h5", 0.9)
    if calibration is not None:
        low, high = calibration.range(100.0, 0.9)
        assert low <= high, (low, high)


def weight_files() -> list[bytes]:
    import h5py

    h5 = io.BytesIO()
    with h5py.File(h5, "w") as file:
        file["layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 4), np.float16)
        file["layers/conv2d/vars/1"] = np.zeros(4, np.float16)
    arrays = io.BytesIO()
    np.savez(arrays, weight=np.zeros((4, 3, 3, 3), np.float32), bias=np.zeros(4, np.float32))
    keras = io.BytesIO()
    with zipfile.ZipFile(keras, "w") as archive:
        archive.writestr("config.json", json.dumps({"module": "keras", "class_name": "Functional", "config": {}}))
        archive.writestr("model.weights.h5", h5.getvalue())
    return [h5.getvalue(), arrays.getvalue(), keras.getvalue()]


def read_weight_file(data: bytes, folder: Path) -> None:
    """What is looked at before Keras gets a file."""
    from crowdcount.network.kinds import kind_of
    from crowdcount.network.torch_weights import read_state, stored_width

    for name in ("a.weights.h5", "a.npz", "a.keras"):
        file = folder / name
        file.write_bytes(data)
        answered(Kind(list, lambda data, folder, file=file: kind_of(file)), data, folder)
    answered(
        Kind(list, lambda data, folder: stored_width(read_state(folder / "a.npz"), folder / "a.npz")), data, folder
    )


def videos() -> list[bytes]:
    import av

    found = []
    for suffix, codec in (("mp4", "mpeg4"), ("mkv", "mpeg4"), ("avi", "mjpeg")):
        file = io.BytesIO()
        with av.open(file, "w", format={"mkv": "matroska"}.get(suffix, suffix)) as container:
            stream = container.add_stream(codec, rate=5)
            stream.height, stream.width = 32, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(3):
                picture = np.full((32, 48, 3), 60 * number, np.uint8)
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        found.append(file.getvalue())
    return found


def read_video(data: bytes, folder: Path) -> None:
    from crowdcount.video.frames import read_frames

    file = folder / "a.mp4"
    file.write_bytes(data)
    for number, moment in enumerate(read_frames(file, notify=lambda sentence: None)):
        assert moment.picture().dtype == np.uint8
        if number == 20:
            break


KINDS = {
    "picture": Kind(pictures, read_picture),
    "mat": Kind(mats, read_mat),
    "csv": Kind(lambda: [text.encode() for text in CSVS], annotations(".csv")),
    "json": Kind(lambda: [json.dumps(content).encode() for content in JSONS], annotations(".json")),
    "zones": Kind(lambda: [json.dumps(content).encode() for content in ZONES], read_zone_file),
    "card": Kind(cards, read_card),
    "weights": Kind(weight_files, read_weight_file),
    "video": Kind(videos, read_video),
}


if __name__ == "__main__":
    sys.exit(main())
