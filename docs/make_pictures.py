"""Make the small pictures of the README's table anew, as after a change of the weights.

    python docs/make_pictures.py [--model NAME_OR_FILE] [--out FOLDER] [--browser COMMAND]

They show drawn crowds, whose true numbers are known, and what crowdcount makes of them. Three are pages and need a
browser of Chromium's family to be seen by; without one they stay as they are. Needs the extras video and notebooks.
"""

from __future__ import annotations

import argparse
import base64
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from crowdcount import draw_crowd
from crowdcount.annotating import zone_widget
from crowdcount.area.drawing import draw_zones
from crowdcount.area.ground import Ground, level_of_service, people_per_square_meter
from crowdcount.area.zone_files import read_zones
from crowdcount.counting.comparison import compare
from crowdcount.counting.pictures import count, count_many
from crowdcount.counting.report import write_report
from crowdcount.counting.results import CountResult
from crowdcount.drawn.crowds import draw_sample
from crowdcount.files import atomic_path, data_folder
from crowdcount.grid import STRIDE
from crowdcount.network.loading import load_model
from crowdcount.network.prediction import WHOLE_PIXELS, margin_of
from crowdcount.network.tiling import windows
from crowdcount.show.plots import add_caption, overlay
from crowdcount.video.chart import CountSeries
from crowdcount.video.counting import count_video

WIDTH = 240
"""Pixels of every picture."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
# Of the hall of `crowdcount count --demo`.
PEOPLE, SIZE = 200, (768, 1024)
ZONES = [
    {"name": "far", "polygon": [[0.01, 0.01], [0.99, 0.01], [0.99, 0.25], [0.01, 0.25]]},
    {"name": "near", "polygon": [[0.01, 0.25], [0.99, 0.25], [0.99, 0.99], [0.01, 0.99]]},
]
HEAT = "#6f1fa3"


class Crowd:
    """The drawn hall of the demo, and what the network counts in it.

    Args:
        model: name of the network, or its file.
        folder: where photos and a video of a march may lie for the while.
    """

    def __init__(self, model: str, folder: Path):
        self.model, self.folder = model, folder
        self.scene = draw_sample()
        wide = draw_crowd(150, size=(240, 800), scene="square", seed=3).picture
        self.views = [np.ascontiguousarray(wide[:, left : left + 320]) for left in range(0, 481, 96)]

    @cached_property
    def result(self) -> CountResult:
        return count(data_folder("datasets") / "sample.jpg", model=self.model)

    @cached_property
    def photos(self) -> list[Path]:
        """The views as files that tell when they were taken."""
        paths = []
        (self.folder / "photos").mkdir()
        for number, view in enumerate(self.views, 1):
            exif = Image.Exif()
            taken = datetime(2026, 5, 1, 12) + timedelta(minutes=10 * number)
            exif[0x8769] = {0x9003: f"{taken:%Y:%m:%d %H:%M:%S}"}
            paths.append(self.folder / "photos" / f"march_{number}.jpg")
            Image.fromarray(view).save(paths[-1], quality=90, exif=exif)
        return paths

    def ground(self) -> Ground:
        """The plane that the people stand on, from the drawing's own camera."""
        height, width = SIZE
        corners = np.array([[0, 0.4], [1, 0.4], [1, 1], [0, 1]]) * (width, height)
        right, down = ((corners - (width / 2, height / 2)) / self.scene.focal).T
        sine, cosine = np.sin(np.radians(self.scene.tilt)), np.cos(np.radians(self.scene.tilt))
        away = self.scene.camera_height / (sine + down * cosine)
        return Ground.from_points(np.column_stack([corners, right * away, (cosine - down * sine) * away]))

    def shown(self) -> np.ndarray:
        return overlay(self.scene.picture, self.result.density, longest_side=WIDTH)

    def small(self) -> Image.Image:
        return _resized(Image.fromarray(self.scene.picture))


# --- One function a picture ---------------------------------------------------------------------------------


def range_bar(crowd: Crowd) -> Image.Image:
    """A number is a span: the count, its range, and where the truth lies."""
    result = crowd.result
    figure, axes = _figure(0.95)
    low, high = (result.count, result.count) if result.low is None else (result.low, result.high)
    axes.plot([low, high], [0, 0], color=HEAT, linewidth=11, alpha=0.3, solid_capstyle="round")
    axes.plot(result.count, 0, "o", color=HEAT, markersize=7)
    axes.text(result.count, 0.45, f"counted {result.count:.0f}", ha="center", color=HEAT, size=9, weight="bold")
    axes.plot(PEOPLE, 0, "|", color="black", markersize=16, markeredgewidth=2)
    axes.text(PEOPLE, -0.55, f"truth {PEOPLE}", ha="center", va="top", size=8)
    for end in (low, high):  # above the bar: the truth, which may lie anywhere, stands below it
        axes.text(end, 0.45, f"{end:.0f}", ha="center", size=8, color=HEAT)
    axes.set(ylim=(-1.4, 1.2))
    axes.margins(x=0.22)
    axes.set_axis_off()
    return _drawn(figure)


def warning(crowd: Crowd) -> Image.Image:
    """A picture that cannot be counted says so."""
    dark = np.asarray(crowd.small()) // 6
    doubts = count(dark, model=crowd.model).warnings
    # Brighter than what was counted, or nothing would be seen on the page.
    return Image.fromarray(add_caption(np.asarray(crowd.small()) // 3, doubts[0] if doubts else "no warning"))


def zones(crowd: Crowd) -> Image.Image:
    """People in each zone, and how densely they stand."""
    zones = read_zones(ZONES, SIZE)
    people = crowd.result.zones(ZONES)
    per_m2 = people_per_square_meter(people, zones, crowd.ground(), SIZE)
    told = [
        f"{name}: {value:.2f} per m², walking {level_of_service(value, 'walking')}" for name, value in per_m2.items()
    ]
    counts = {name: f"{number:.0f}" for name, number in people.items()}
    return Image.fromarray(add_caption(draw_zones(crowd.shown(), zones, counts), "\n".join(told)))


def tiles(crowd: Crowd) -> Image.Image:
    """A panorama is cut into tiles; each reads beyond its cuts what the network sees, so that these change nothing."""
    height, width = 960, 2880
    panorama = draw_crowd(700, size=(height, width), scene="square", seed=5).picture
    scale = WIDTH / width
    image = _resized(Image.fromarray(panorama))
    drawing = ImageDraw.Draw(image)
    for window in windows((height, width), margin=margin_of(load_model(crowd.model)), most=WHOLE_PIXELS):
        top, bottom, left, right = (
            edge * STRIDE * scale for cells in window.cells for edge in (cells.start, cells.stop)
        )
        drawing.rectangle([left, top, right - 1, bottom - 1], outline="white")
    return Image.fromarray(add_caption(np.asarray(image), f"{height * width / 1e6:.1f} megapixels"))


def report(crowd: Crowd) -> str:
    """The page of `--report` on a folder of photos."""
    folder = crowd.photos[0].parent
    path = crowd.folder / "report.html"
    write_report(path, count_many([folder], crowd.model, progress=False), title="May Day march")
    return path.read_text("utf-8")


def chart(crowd: Crowd) -> Image.Image:
    """People over time in a video."""
    import av

    film = crowd.folder / "march.mp4"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.height, stream.width, stream.pix_fmt = *crowd.views[0].shape[:2], "yuv420p"
        for view in crowd.views:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view)))
        container.mux(stream.encode())
    series = CountSeries(count_video(film, every=1, smooth=0, model=crowd.model))
    with rc_context({"font.size": 8, "lines.linewidth": 1.2, "lines.markersize": 4}):
        figure, axes = _figure(1.6)
        series.plot(axes)
        return _drawn(figure)


def heads(crowd: Crowd) -> Image.Image:
    """Approximate positions."""
    return _marked(crowd, crowd.result.heads(), "white", f"{len(crowd.result.heads())} positions, approximate")


def dots(crowd: Crowd) -> Image.Image:
    """What annotators set, and training learns from: a dot on every head."""
    return _marked(crowd, crowd.scene.points, "#ffe600", f"{PEOPLE} heads, {PEOPLE} dots")


def export(crowd: Crowd) -> Image.Image:
    """One network, three kinds of files, the count inside."""
    figure, axes = _figure(1.3)
    axes.set(xlim=(0, 10), ylim=(0, 6))
    axes.set_axis_off()
    axes.imshow(crowd.scene.picture, extent=(0, 3, 1.5, 4.5), aspect="auto")
    for y, name in ((4.7, "ONNX"), (3, "LiteRT"), (1.3, "SavedModel")):
        axes.annotate("", (4.1, y), (3.1, 3), arrowprops={"arrowstyle": "->", "color": "0.4"})
        box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": HEAT}
        axes.text(5.55, y, name, ha="center", va="center", size=7, bbox=box)
        axes.annotate("", (8, 3), (7, y), arrowprops={"arrowstyle": "->", "color": "0.4"})
    axes.text(9, 3, f"{crowd.result.count:.0f}", ha="center", va="center", size=15, color=HEAT, weight="bold")
    return _drawn(figure)


def comparison(crowd: Crowd) -> str:
    """Counts side by side, as a notebook shows them."""
    table = compare([crowd.photos[0], crowd.photos[-1]], model=crowd.model)
    return _page(table._repr_html_(), "td img { width: 100px } td, th { padding: 3px 6px; white-space: nowrap }")


def widget(crowd: Crowd) -> str:
    """The page's side of `select_zones`, with two zones drawn."""
    selector = zone_widget.select_zones(crowd.scene.picture, ZONES)
    state = selector.widget
    script = base64.b64encode(state._esm.encode()).decode()
    return _page(
        f"""<style>{state._css}</style><div id="here"></div><script type="module">
        import widget from "data:text/javascript;base64,{script}";
        const jpeg = Uint8Array.from(atob("{base64.b64encode(state.picture).decode()}"), (c) => c.charCodeAt(0));
        const shapes = {json.dumps(state.shapes)}, texts = {json.dumps(state.texts)};
        const state = {{ picture: jpeg, size: {state.size}, texts, shapes, problem: "" }};
        const model = {{ get: (name) => state[name], set() {{}}, save_changes() {{}}, on() {{}}, off() {{}} }};
        widget.render({{ model, el: document.getElementById("here") }});
        </script>"""
    )


def curve(crowd: Crowd) -> Image.Image:
    """A training: the error on pictures that are not learned from goes down. That of the weights that ship."""
    with open(Path(__file__).resolve().parents[1] / "weights" / "general.csv", newline="", encoding="utf-8") as file:
        errors = [row["val_mae"] for row in csv.DictReader(file)]
    epochs = [epoch for epoch, error in enumerate(errors, 1) if error]
    figure, axes = _figure(1.2)
    axes.plot(epochs, [float(errors[epoch - 1]) for epoch in epochs], ".-", color=HEAT)
    axes.set(xlabel="epoch", ylabel="validation MAE", ylim=(0, None))
    axes.xaxis.label.set_size(7)
    axes.yaxis.label.set_size(7)
    axes.tick_params(labelsize=7)
    return _drawn(figure)


PICTURES = {
    "range.png": range_bar,
    "warning.jpg": warning,
    "zones.jpg": zones,
    "tiles.jpg": tiles,
    "report.png": report,
    "video.png": chart,
    "heads.jpg": heads,
    "dots.jpg": dots,
    "export.png": export,
    "compare.png": comparison,
    "widget.jpg": widget,
    "curve.png": curve,
}
"""File -> what makes it: an image, or a page for the browser to show."""

# Width and height, in pixels, at which a page is seen.
_WINDOWS = {"report.png": (900, 1060), "compare.png": (650, 270), "widget.jpg": (560, 560)}


# --- Drawing ------------------------------------------------------------------------------------------------


def _figure(height: float):
    figure = Figure(figsize=(2.4, height), dpi=2 * WIDTH / 2.4, layout="constrained")
    return figure, figure.add_subplot()


def _drawn(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB")


def _marked(crowd: Crowd, points: np.ndarray, color: str, text: str) -> Image.Image:
    image = crowd.small()
    drawing = ImageDraw.Draw(image)
    for x, y in points * (WIDTH / SIZE[1]):
        drawing.ellipse([x - 2, y - 2, x + 2, y + 2], outline=color, fill=color if color != "white" else None)
    return Image.fromarray(add_caption(np.asarray(image), text))


def _resized(image: Image.Image) -> Image.Image:
    return image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)


def _page(body: str, style: str = "") -> str:
    font = "body { font: 15px/1.4 system-ui, sans-serif; margin: 8px; background: white }"
    style = f"<style>{font} {style}</style>"
    return f'<!DOCTYPE html><html lang="en"><meta charset="utf-8">{style}<body>{body}</body></html>'


def _seen(page: str, window: tuple[int, int], browser: str, folder: Path) -> Image.Image:
    """What a browser shows of a page."""
    source, shot = folder / "page.html", folder / "page.png"
    source.write_text(page, "utf-8")
    shot.unlink(missing_ok=True)
    options = ["--headless", "--no-sandbox", "--hide-scrollbars"]  # root, as in a container, gets no sandbox
    size = f"--window-size={window[0]},{window[1]}"
    budget = "--virtual-time-budget=3000"  # until the pictures are decoded
    command = [browser, *options, size, budget, f"--screenshot={shot}", source.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return Image.open(shot).convert("RGB")


def _write(image: Image.Image, path: Path) -> None:
    image = _resized(image) if image.width != WIDTH else image
    with atomic_path(path) as temporary:
        if path.suffix == ".jpg":
            image.save(temporary, quality=80, optimize=True)
        else:
            image.quantize(64).save(temporary, optimize=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="general")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures")
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, BROWSERS)), None))
    arguments = parser.parse_args(argv)

    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(arguments.model, Path(folder))
        for name, make in PICTURES.items():
            if name in _WINDOWS and not arguments.browser:
                print(f"{name} needs a browser: name one with --browser", file=sys.stderr)
                continue
            made = make(crowd)
            if name in _WINDOWS:
                made = _seen(made, _WINDOWS[name], arguments.browser, crowd.folder)
            _write(made, arguments.out / name)
            print(arguments.out / name, flush=True)


if __name__ == "__main__":
    main()
