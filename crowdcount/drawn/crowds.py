"""Crowds drawn by code, with the truth known: for lessons, for tests and for first steps without any photo.

People stand on a ground plane in perspective, wear their own clothes, hide one another and cast shadows;
streets, squares, stands and halls lie around them; haze, blur, sensor noise and JPEG come last.
"""

from __future__ import annotations

import csv
import io
import math
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.io import savemat

from crowdcount.drawn.people import (
    ELEVATION_STEP,
    HEAD_HEIGHT,
    HEAD_LENGTH,
    SEATED_DROP,
    SHAPES,
    render_figure,
    wardrobe,
)
from crowdcount.drawn.places import (
    ROW_DEPTH,
    ROW_RISE,
    SEAT_WIDTH,
    STRIP,
    Camera,
    Light,
    last_row,
    on_seats,
    paint_place,
    paint_row,
)
from crowdcount.errors import DataError
from crowdcount.files import atomic_path

SCENES = ("street", "square", "stands", "hall")
MOST_PEOPLE = 3000

_TILTS = {"street": (9, 26), "square": (12, 34), "stands": (9, 15), "hall": (8, 24)}
_SCALES = (28, 56, 112, 168)
"""Pixels per meter at which figures are rendered before they are shrunk to their place."""
_POOL = 12
"""Different bodies in a scene, each also mirrored; several people share one, in other colors."""
_TEAMS = np.array(
    [
        (176, 36, 44),
        (112, 168, 214),
        (34, 52, 110),
        (226, 226, 222),
        (206, 170, 52),
        (52, 110, 70),
        (120, 36, 58),
    ]
)
_SEATS = np.array([(124, 50, 50), (52, 72, 118), (70, 100, 80), (140, 140, 140), (168, 116, 64)])
_LEAST_SEEN = 0.2
"""Share of a head that must be seen for an annotator to mark it."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A drawn crowd.

    Attributes:
        picture: uint8 (height, width, 3), RGB.
        points: float64 (people, 2), x and y of the head centers in pixels, read-only.
        perspective: float32 (height, width), pixels per meter at head height; 0 where nobody can
            stand (sky, walls).
        visible: float64 (people,), share of each head that nobody nearer hides, 0.2 to 1.
        scene: "street", "square", "stands" or "hall".
        seed: the seed it was drawn with.
        camera_height: meters above the lowest ground.
        tilt: degrees below the horizontal at which the camera looks.
        focal: focal length in pixels.
        density: people per square meter aimed at where they stand.
    """

    picture: np.ndarray
    points: np.ndarray
    perspective: np.ndarray
    visible: np.ndarray
    scene: str
    seed: int
    camera_height: float
    tilt: float
    focal: float
    density: float

    @property
    def count(self) -> int:
        """Number of heads."""
        return len(self.points)

    def __repr__(self) -> str:
        height, width = self.picture.shape[:2]
        return (
            f"Scene({self.scene}, {self.count} people, {width}x{height}, seed={self.seed}, "
            f"camera_height={self.camera_height:.1f}, tilt={self.tilt:.0f})"
        )


def draw_crowd(
    people: int = 100,
    *,
    size: tuple[int, int] = (768, 1024),
    seed: int = 0,
    scene: str | None = None,
    density: float | None = None,
    camera_height: float | None = None,
    tilt: float | None = None,
    noise: float | None = None,
    haze: float | None = None,
    jpeg_quality: int | None = None,
) -> Scene:
    """Draw a crowd of exactly `people` heads.

    Heads are counted as annotators count them: a head that others hide is not marked. People stand where at
    least a fifth of each head, and mostly far more, stays in sight, so there are as many points as asked for.

    Args:
        people: number of heads, 0 to 3,000.
        size: (height, width) of the picture in pixels, each at least 64.
        seed: everything that is not set is drawn from it; the same arguments give the same picture.
        scene: "street", "square", "stands" (rows of seats) or "hall"; None: by the seed.
        density: people per square meter to aim at where they stand, more than 0; None: by the seed.
        camera_height: meters above the lowest ground, 2.2 to 80; None: as high as the people need.
        tilt: degrees below the horizontal at which the camera looks, 0 to 80; None: by the seed.
        noise: standard deviation of the sensor noise in gray levels; None: 1.5 to 6, by the seed.
        haze: share of the light that haze takes at the farthest people, 0 to 0.9; None: by the seed.
        jpeg_quality: 10 to 100, the picture passes through JPEG at this quality; None: 70 to 95, by the seed.

    Returns:
        A `Scene`.

    Raises:
        DataError: for a value out of its range, or if so many heads don't fit into the view.

    Example:
        >>> scene = draw_crowd(12, size=(96, 128), seed=3)
        >>> scene.picture.shape, scene.points.shape
        ((96, 128, 3), (12, 2))
    """
    height, width = _check(people, size, scene, density, camera_height, tilt, noise, haze, jpeg_quality)
    rng = _generator(seed, 1802)
    scene = scene or str(rng.choice(SCENES))
    camera, crowd, cast, farthest, density = _stage(people, (height, width), scene, density, camera_height, tilt, rng)
    light = _light(scene, rng)
    haze = float(rng.choice([0.0, rng.uniform(0.0, 0.35)])) if haze is None else haze
    air = np.array(rng.choice([(206, 212, 220), (196, 198, 200), (214, 206, 192)]), np.float32)
    fog = -math.log(1 - haze) / farthest

    picture, ground = paint_place(camera, scene, light, farthest, rng)
    if len(crowd) and scene != "stands":
        _cast_shadows(picture, ground, camera, crowd, light)
    depth = camera.ground(0.0, np.arange(height) + 0.5)[2]
    clear = np.exp(-fog * np.where((depth > 0) & (depth < 1.3 * farthest), depth, 1.3 * farthest))
    colors = np.empty(picture.shape, np.uint8)
    for top in range(0, height, STRIP):
        rows = slice(top, top + STRIP)
        strip = picture[rows]
        if fog > 0:
            through = clear[rows, None, None].astype(np.float32)
            strip *= through
            strip += np.repeat(air * (1 - through), width, axis=1)
        colors[rows] = np.clip(strip, 0, 255, out=strip)
    canvas = Image.fromarray(colors)
    _draw_people(canvas, camera, crowd, cast, scene, light, fog, air, farthest, rng)
    picture = _expose(canvas, scene, noise, jpeg_quality, rng)

    level = HEAD_HEIGHT - (SEATED_DROP if crowd.seated else 0.0)
    points, visible = cast.points(), cast.visible((height, width))
    points.flags.writeable = visible.flags.writeable = False
    return Scene(
        picture,
        points,
        camera.perspective(level, farthest),
        visible,
        scene,
        seed,
        camera.height,
        camera.tilt,
        camera.focal,
        density,
    )


_NUMBERS = (int, float, np.integer, np.floating)


def _generator(seed: int, drawn: int) -> np.random.Generator:
    """The random numbers of a seed, others for each kind of thing that is drawn."""
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise DataError(f"seed must be a whole number, 0 or more. Received: seed={seed!r}")
    return np.random.default_rng([seed, drawn])


def _check(people, size, scene, density, camera_height, tilt, noise, haze, jpeg_quality) -> tuple[int, int]:
    if not isinstance(people, (int, np.integer)) or not 0 <= people <= MOST_PEOPLE:
        raise DataError(f"people must be a whole number from 0 to {MOST_PEOPLE}. Received: people={people!r}")
    if np.shape(size) != (2,) or not all(isinstance(side, _NUMBERS) and side >= 64 and side % 1 == 0 for side in size):
        raise DataError(f"size must be (height, width) in pixels, each at least 64. Received: size={size!r}")
    if scene is not None and scene not in SCENES:
        raise DataError(f"scene must be one of {', '.join(SCENES)}, or None. Received: scene={scene!r}")
    ranges = {
        "density": (density, 0.001, 10),
        "camera_height": (camera_height, 2.2, 80),
        "tilt": (tilt, 0, 80),
        "noise": (noise, 0, 100),
        "haze": (haze, 0, 0.9),
        "jpeg_quality": (jpeg_quality, 10, 100),
    }
    for name, (value, low, high) in ranges.items():
        if value is not None and not low <= value <= high:
            raise DataError(f"{name} must lie between {low} and {high}. Received: {name}={value!r}")
    return int(size[0]), int(size[1])


@dataclass
class _Crowd:
    """Where people stand: one row a person in every array."""

    x: np.ndarray
    z: np.ndarray
    grown: np.ndarray  # factor on the height of an adult
    px: np.ndarray  # projected head centers and pixels per meter there
    py: np.ndarray
    scale: np.ndarray
    seated: bool
    aisle: float  # meters between the stairs of the stands

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which) -> _Crowd:
        arrays = (self.x, self.z, self.grown, self.px, self.py, self.scale)
        x, z, grown, px, py, scale = (array[which] for array in arrays)
        return _Crowd(x, z, grown, px, py, scale, self.seated, self.aisle)


def _light(scene: str, rng: np.random.Generator) -> Light:
    if scene == "hall":
        sun = np.array([rng.uniform(-0.3, 0.3), 1.0, rng.uniform(0.0, 0.5)])
        direct, ambient = 0.4, rng.uniform(0.42, 0.62)
    else:
        high = math.radians(rng.uniform(28, 65))
        way = rng.uniform(0, 2 * math.pi)
        sun = np.array([math.cos(high) * math.cos(way), math.sin(high), math.cos(high) * math.sin(way)])
        if rng.random() < 0.5:
            direct, ambient = rng.uniform(0.45, 0.65), rng.uniform(0.5, 0.62)
        else:
            direct, ambient = 0.18, rng.uniform(0.78, 0.92)
    return Light((sun / np.linalg.norm(sun)).astype(np.float32), float(direct), float(ambient))


def _stage(people, shape, scene, density, camera_height, tilt, rng):
    """Choose the viewpoint and the places of the people; raise it until their heads can be seen."""
    focal = shape[1] * rng.uniform(0.85, 1.25)
    low, high = _TILTS[scene]
    tilt_drawn = rng.uniform(max(low, 20) if people > 1000 and scene != "stands" else low, high)
    lowest = rng.uniform(3.2, 6.0) * min(max(shape[1] / 512, 0.7), 1.0)
    if scene == "stands":
        aim = rng.uniform(1.6, 2.1)
    else:
        aim = math.exp(rng.uniform(math.log(0.12), math.log(1.0))) * (1 + people / 1000)
    aim = density or aim
    least = rng.uniform(15, 26)
    seated = scene == "stands" and rng.random() < 0.7
    level = HEAD_HEIGHT - (SEATED_DROP if seated else 0)
    best = 0
    for _ in range(9):
        farthest = focal / least
        cameras = []
        for option in [camera_height] if camera_height is not None else np.geomspace(lowest, 70, 40):
            rise = {"start": 1.5 * float(option), "rise": ROW_RISE / ROW_DEPTH} if scene == "stands" else {}
            cameras.append(Camera(float(option), float(tilt_drawn if tilt is None else tilt), focal, shape, **rise))
        areas = np.array([_area(camera, level, farthest)[-1] for camera in cameras])
        enough = np.flatnonzero(areas >= 1.25 * people / aim)
        camera = cameras[enough[0] if len(enough) else int(np.argmax(areas))]
        # A few more than asked for: a raised arm or a hat can hide a head that the rough check let pass.
        crowd = _place(people + 3 + people // 25, camera, scene, seated, level, farthest, aim, rng)
        count = len(crowd)
        if count >= people:
            cast = _Cast.choose(crowd, camera, scene, rng)
            seen = np.flatnonzero(cast.visible(shape) >= _LEAST_SEEN)
            count = len(seen)
            if count >= people:
                chosen = np.sort(rng.permutation(seen)[:people])
                return camera, crowd.take(chosen), cast.take(chosen), farthest, float(aim)
        best = max(best, count)
        # Thinner on more ground, seen more from above and from farther away.
        aim *= min(max(0.9 * count / people, 0.5), 0.85)
        least, tilt_drawn = least * 0.87, tilt_drawn + (0 if scene == "stands" else 4)
    raise DataError(
        f"only {best} of {people} heads can be seen from this viewpoint. Ask for fewer people or a larger "
        f"picture, or leave camera_height and tilt to be chosen. Received: people={people}, size={shape}, "
        f"camera_height={camera_height}, tilt={tilt}"
    )


@dataclass
class _Cast:
    """Which figure each person is and where in the picture it goes, the nearest person first."""

    figures: list
    boxes: np.ndarray  # int (people, 4): left, top, width, height in the picture
    masks: list  # for each: its window of the picture, what is solid and what head there, pixels of its head

    @classmethod
    def choose(cls, crowd: _Crowd, camera: Camera, scene: str, rng: np.random.Generator) -> _Cast:
        base = {"street": (0, 4, 8, 12), "square": (0, 0, 4, 8, 8, 12), "stands": (0,), "hall": (8,)}[scene]
        if scene in ("square", "hall") and rng.random() < 0.5:
            base = (0,) if rng.random() < 0.5 else (8,)
        shapes, facing = rng.integers(0, SHAPES, _POOL), rng.choice(base, _POOL)
        chosen, mirrored = rng.integers(0, _POOL, len(crowd)), rng.random(len(crowd)) < 0.5
        scale = crowd.scale * crowd.grown
        elevation = np.rint(np.clip(camera.elevation(crowd.py), -10, 80) / ELEVATION_STEP).astype(int)
        sharp = np.searchsorted(np.array(_SCALES[:-1]) / 1.1, scale)
        figures, boxes = [], np.empty((len(crowd), 4), int)
        for i, pick in enumerate(chosen):
            shape = int(shapes[pick])
            # Nobody faces exactly the common way.
            yaw = (int(facing[pick]) + (shape * 7) % 5 - 2) % 16
            figure = render_figure(shape, yaw, int(elevation[i]), _SCALES[sharp[i]], crowd.seated, bool(mirrored[i]))
            ratio = scale[i] / figure.scale
            height, width = (max(round(side * ratio), 3) for side in figure.material.shape)
            left = round(crowd.px[i] - figure.head_x * width / figure.material.shape[1])
            top = round(crowd.py[i] - figure.head_y * height / figure.material.shape[0])
            figures.append(figure)
            boxes[i] = left, top, width, height
        return cls(figures, boxes, [cls._mask(*each, camera.shape) for each in zip(figures, boxes.tolist())])

    @staticmethod
    def _mask(figure, box: list[int], shape: tuple[int, int]) -> tuple:
        left, top, width, height = box
        high, wide = figure.kind.shape
        rows = ((np.arange(height) + 0.5) * (high / height)).astype(int)
        columns = ((np.arange(width) + 0.5) * (wide / width)).astype(int)
        kind = figure.kind.take(rows, axis=0).take(columns, axis=1)
        head = kind == 2
        whole = np.count_nonzero(head)
        inside = slice(max(-top, 0), max(shape[0] - top, 0)), slice(max(-left, 0), max(shape[1] - left, 0))
        window = slice(max(top, 0), max(top + height, 0)), slice(max(left, 0), max(left + width, 0))
        return window, kind[inside] > 0, head[inside], whole

    def take(self, which) -> _Cast:
        return _Cast([self.figures[i] for i in which], self.boxes[which], [self.masks[i] for i in which])

    def points(self) -> np.ndarray:
        """Head centers in the picture: float64 (people, 2)."""
        at = np.array([(f.head_x / f.material.shape[1], f.head_y / f.material.shape[0]) for f in self.figures])
        return self.boxes[:, :2] + at.reshape(-1, 2) * self.boxes[:, 2:]

    def visible(self, shape: tuple[int, int]) -> np.ndarray:
        """Share of each head that is inside the picture and hidden by nobody: float64 (people,)."""
        owner = np.full(shape, -1, np.int16)
        for i in range(len(self.masks) - 1, -1, -1):
            window, solid, head, _ = self.masks[i]
            view = owner[window]
            np.copyto(view, -1, where=solid)
            np.copyto(view, i, where=head)
        whole = np.array([mask[-1] for mask in self.masks], int)
        return np.bincount(owner[owner >= 0], minlength=len(whole)) / np.maximum(whole, 1)


def _area(camera: Camera, level: float, farthest: float) -> np.ndarray:
    """Square meters of ground seen (at head height) in the rows of the picture, summed from the bottom up."""
    height, width = camera.shape
    rows = np.arange(height, -1, -1, dtype=np.float64)
    _, z, depth = camera.ground(0.0, rows, level)
    there = (depth > 0) & (depth <= farthest) & (z >= camera.start)
    step = np.where(there[1:] & there[:-1], np.diff(z), 0.0)
    return np.cumsum(np.maximum(step, 0) * depth[1:] * width / camera.focal)


def _place(people, camera, scene, seated, level, farthest, density, rng) -> _Crowd:
    """Up to `people` places on the ground whose heads can be seen in the picture."""
    height, width = camera.shape
    aisle = rng.uniform(8, 14)
    if scene == "stands":
        rows = np.arange(last_row(camera, farthest) + 1)
        seats = np.arange(-140, 140) + 0.5
        x, row = (grid.ravel() for grid in np.meshgrid(seats * SEAT_WIDTH, rows))
        taken = on_seats(x, aisle)
        x, row = x[taken], row[taken]
        z, share = camera.start + row * ROW_DEPTH, 1.0
        x = x + rng.normal(0, 0.05, len(x))
    else:
        total = _area(camera, level, farthest)
        if people and total[-1] <= 0:
            return _gather(camera, np.empty(0), np.empty(0), seated, level, aisle, rng)
        # People gather: of the ground in view they take only the part that draws them most.
        share = min(1.0, people / density / max(total[-1], 1e-9))
        wanted = int(min(4 * people / max(share, 0.08) + 60, 40000))
        py = height - np.interp(rng.random(wanted) * total[-1], total, np.arange(1, height + 1))
        x, z, _ = camera.ground(rng.uniform(0, width, wanted), py, level)
    keen = _lure(x, z, rng) + rng.normal(0, 0.25, len(x))
    order = np.argsort(-keen)
    if scene != "stands":
        order = order[: max(int(len(order) * share), min(len(order), 4 * people + 20))]
    crowd = _gather(camera, x[order], z[order], seated, level, aisle, rng)
    margin = 0.35 * HEAD_LENGTH * crowd.scale + 1
    # The heads of tall people and of children lie off the plane that the perspective map is made for.
    mapped = camera.perspective(level, farthest)[:, 0] > 0
    row = np.clip(crowd.py, 1, height - 2).astype(int)
    inside = (
        (crowd.px > margin)
        & (crowd.px < width - margin)
        & (crowd.py > margin)
        & (crowd.py < height - margin)
        & mapped[row - 1]
        & mapped[row + 1]
    )
    chosen = np.flatnonzero(inside)
    if scene == "stands":  # the keenest take seats, and a few spare ones in case that a head cannot be seen
        chosen = chosen[: int(1.3 * people) + 5]
    crowd = crowd.take(chosen)
    crowd = crowd.take(np.argsort(-crowd.scale, kind="stable"))
    spacing = 0.0 if scene == "stands" else min(0.46, 0.8 / math.sqrt(density))
    seen = _in_sight(crowd, camera.shape, spacing)
    return crowd.take(np.sort(rng.permutation(seen)[:people]))


def _lure(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How much a place draws people: a sum of a few waves over the ground, in meters."""
    pull = np.zeros_like(x)
    for wave in (3.0, 6.0, 13.0, 25.0):
        for _ in range(2):
            way, phase = rng.uniform(0, 2 * np.pi, 2)
            pull += np.sin((x * np.cos(way) + z * np.sin(way)) * 2 * np.pi / wave + phase) * wave**0.25
    return pull / 3


def _gather(camera, x, z, seated, level, aisle, rng) -> _Crowd:
    child = rng.random(len(x)) < 0.06
    grown = np.where(child, rng.uniform(0.68, 0.85, len(x)), np.clip(rng.normal(1, 0.045, len(x)), 0.88, 1.12))
    if camera.rise:
        grown = np.maximum(grown, 0.85)
    head = camera.floor_height(z) + level * grown
    px, py, scale = camera.project(x, head, z)
    return _Crowd(x, z, grown, px, py, scale, seated, aisle)


def _in_sight(crowd: _Crowd, shape: tuple[int, int], spacing: float) -> np.ndarray:
    """Indices of the people whose heads are seen, going from the nearest (first) to the farthest."""
    covered = np.zeros(shape, bool)
    scale = crowd.scale * crowd.grown

    def edges(center, reach, limit):
        return np.clip(np.rint(center + reach * scale), 0, limit).astype(int).tolist()

    height, width = shape
    left, right = edges(crowd.px, -0.09, width), edges(crowd.px, 0.09, width)
    top, bottom = edges(crowd.py, -0.125, height), edges(crowd.py, 0.09, height)
    wide_left, wide_right = edges(crowd.px, -0.125, width), edges(crowd.px, 0.125, width)
    crown, chin = edges(crowd.py, -0.16, height), edges(crowd.py, 0.12, height)
    arm_left, arm_right = edges(crowd.px, -0.27, width), edges(crowd.px, 0.27, width)
    foot = edges(crowd.py, 1.5, height)
    cells: dict[tuple[int, int], list[int]] = {}
    xs, zs = crowd.x.tolist(), crowd.z.tolist()
    seen = []
    for i in range(len(crowd)):
        area = (bottom[i] - top[i]) * (right[i] - left[i])
        if area <= 0 or np.count_nonzero(covered[top[i] : bottom[i], left[i] : right[i]]) > 0.42 * area:
            continue
        if spacing:
            cell = (int(xs[i] // spacing), int(zs[i] // spacing))
            near = (j for a in (-1, 0, 1) for b in (-1, 0, 1) for j in cells.get((cell[0] + a, cell[1] + b), ()))
            if any((xs[i] - xs[j]) ** 2 + (zs[i] - zs[j]) ** 2 < spacing**2 for j in near):
                continue
            cells.setdefault(cell, []).append(i)
        covered[crown[i] : chin[i], wide_left[i] : wide_right[i]] = True
        covered[chin[i] : foot[i], arm_left[i] : arm_right[i]] = True
        seen.append(i)
    return np.array(seen, int)


def _cast_shadows(picture, ground, camera: Camera, crowd: _Crowd, light: Light) -> None:
    """Darken the ground, in place: long shadows away from the sun, and a soft dark spot under everybody."""
    height, width = camera.shape
    # Soft things need only half the resolution.
    cast, under = (Image.new("L", (width // 2, height // 2)) for _ in range(2))
    draw_cast, draw_under = ImageDraw.Draw(cast), ImageDraw.Draw(under)
    slope_x, slope_z = -light.sun[0] / light.sun[1], light.sun[2] / light.sun[1]

    def spot(side, up):
        tall = up * crowd.grown
        z = np.maximum(crowd.z + slope_z * tall, 0.5)
        return (np.stack(camera.project(crowd.x + side + slope_x * tall, 0.0, z)[:2], 1) / 2).tolist()

    outline = [
        spot(-0.14, 0.0),
        spot(-0.2, 1.0),
        spot(-0.2, 1.4),
        spot(-0.08, 1.5),
        spot(-0.09, 1.72),
        spot(0.09, 1.72),
        spot(0.08, 1.5),
        spot(0.2, 1.4),
        spot(0.2, 1.0),
        spot(0.14, 0.0),
    ]
    feet_x, feet_y, scale = camera.project(crowd.x, 0.0, crowd.z)
    flat = np.sin(np.radians(np.clip(camera.elevation(feet_y), 5, 90)))
    feet_x, feet_y, scale = feet_x / 2, feet_y / 2, scale / 2
    for i in range(len(crowd)):
        draw_cast.polygon([tuple(corner[i]) for corner in outline], fill=255)
        for reach, dark in ((0.42, 90), (0.25, 170)):
            rx, ry = reach * scale[i], reach * scale[i] * flat[i]
            draw_under.ellipse((feet_x[i] - rx, feet_y[i] - ry, feet_x[i] + rx, feet_y[i] + ry), fill=dark)
    typical = float(np.median(scale))

    def soft(mask, reach):
        return np.asarray(mask.filter(ImageFilter.GaussianBlur(reach * typical)), np.float32) / 255

    strength = light.direct / (light.direct + light.ambient)
    strength *= 1.0 if light.direct > 0.42 else 0.25
    shadow = np.maximum(np.float32(strength) * soft(cast, 0.03), np.float32(0.5) * soft(under, 0.1))
    shadow = np.asarray(Image.fromarray(shadow).resize((width, height), Image.Resampling.BILINEAR))
    below = np.flatnonzero(ground.any(1))
    if len(below):
        left = 1 - ground[below[0] :] * shadow[below[0] :]
        for color in range(3):
            picture[below[0] :, :, color] *= left


def _draw_people(canvas, camera, crowd: _Crowd, cast: _Cast, scene, light, fog, air, farthest, rng) -> None:
    """Draw everybody onto `canvas`, the farthest first."""
    people = len(crowd)
    team = rng.choice(_TEAMS).astype(np.float32) if scene == "stands" and rng.random() < 0.5 else None
    colors = wardrobe(rng, people, team)
    # In a dense crowd little light reaches down to the legs.
    shut = min(0.55, people / 1000)
    lit: dict[int, tuple] = {}
    rows_left = list(range(last_row(camera, farthest) + 1)) if scene == "stands" else []
    seat = rng.choice(_SEATS).astype(np.float32)
    for i in range(people - 1, -1, -1):
        while rows_left and camera.start + rows_left[-1] * ROW_DEPTH >= crowd.z[i] - 0.1:
            paint_row(canvas, camera, rows_left.pop(), seat, light, crowd.aisle)
        figure, (left, top, width, height) = cast.figures[i], cast.boxes[i].tolist()
        if id(figure) not in lit:
            inside = np.flatnonzero(figure.material)
            lit[id(figure)] = inside, figure.material.ravel()[inside], _gain(figure, inside, light, shut)
        inside, material, gain = lit[id(figure)]
        clear = math.exp(-fog * camera.focal / crowd.scale[i])
        color = (colors[i].T * clear).take(material, axis=1)
        color *= gain
        if fog > 0:
            color += ((1 - clear) * air)[:, None]
        # Black and clear outside the figure, so these are colors multiplied by their opacity already, as
        # resizing wants them. A pixel is moved as one number.
        solid = np.full((len(inside), 4), 255, np.uint8)
        solid[:, :3] = np.minimum(color, 255, out=color).T
        pixels = np.zeros(figure.material.shape, np.uint32)
        pixels.ravel()[inside] = solid.view(np.uint32)[:, 0]
        sprite = Image.frombuffer("RGBa", pixels.shape[::-1], pixels, "raw", "RGBa", 0, 1)
        ratio = width / figure.material.shape[1]
        if ratio <= 1:
            sprite = sprite.resize((width, height), Image.Resampling.HAMMING)
        else:  # somebody very near: a little out of focus, rather than with a jagged outline
            sprite = sprite.resize((width, height), Image.Resampling.BILINEAR)
            sprite = sprite.filter(ImageFilter.GaussianBlur(0.45 * ratio))
        sprite = sprite.convert("RGBA")
        canvas.paste(sprite, (left, top), sprite)
    while rows_left:
        paint_row(canvas, camera, rows_left.pop(), seat, light, crowd.aisle)


def _gain(figure, inside: np.ndarray, light: Light, shut: float) -> np.ndarray:
    """Factor on the colors of the pixels `inside` (numbers) of a figure under a light: float64 (n,)."""
    normal = figure.normal.reshape(-1, 3)[inside]
    bright = light.ambient * (0.66 + 0.34 * normal[:, 1])
    bright += light.direct * 1.15 * np.maximum((figure.normal @ light.sun).ravel()[inside], 0)
    bright *= 0.82 + 0.18 * normal[:, 2]
    below = (inside // figure.material.shape[1] - figure.head_y) / figure.scale
    return bright * figure.tone.ravel()[inside] * (1 - shut * np.clip((below - 0.1) / 0.9, 0, 1))


def _expose(canvas: Image.Image, scene: str, noise, jpeg_quality, rng: np.random.Generator) -> np.ndarray:
    """What lens, sensor and file format do to the picture."""
    blur = rng.uniform(0.25, 0.7)
    picture = np.asarray(canvas.filter(ImageFilter.GaussianBlur(blur)))
    height, width = picture.shape[:2]
    warmth = rng.normal(0, 0.04) + (0.06 if scene == "hall" else 0)
    # Exposed by its mean, as a camera does, within what a sensor can do.
    exposure = np.clip(rng.uniform(100, 140) / max(float(picture.mean()), 1), 0.7, 2.0)
    gain = np.array([1 + warmth, 1.0, 1 - warmth], np.float32) * np.float32(exposure)
    v, u = (np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width))
    darker = np.float32(rng.uniform(0, 0.12))
    level = np.float32(rng.uniform(1.5, 6) if noise is None else noise)
    # Most noise is common to the three colors of a pixel, because cameras smooth color more than brightness.
    common = rng.standard_normal((height, width), dtype=np.float32)
    single = rng.standard_normal((height, width), dtype=np.float32)
    singles = single, single[::-1, ::-1], np.roll(single, (height // 3, width // 3), (0, 1))
    tone = _tone_curve(np.float32(rng.uniform(1.02, 1.22)))
    exposed = np.empty_like(picture)
    for top in range(0, height, STRIP):
        rows = slice(top, top + STRIP)
        corners = 1 - darker * (v[rows, None] ** 2 + u * u)
        colors = [picture[rows, :, color] * (gain[color] * corners) for color in range(3)]
        grain = level * (0.6 + 0.4 * np.sqrt(colors[1] * np.float32(1 / 128)))
        for color, values in enumerate(colors):
            noisy = values + (0.85 * common[rows] + 0.5 * singles[color][rows]) * grain
            noisy = noisy * 4 + 0.5
            exposed[rows, :, color] = tone[np.clip(noisy, 0, len(tone) - 1, out=noisy).astype(np.uint16)]
    quality = int(rng.integers(70, 96)) if jpeg_quality is None else int(jpeg_quality)
    file = io.BytesIO()
    Image.fromarray(exposed).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file).convert("RGB"))


def _tone_curve(contrast: np.float32) -> np.ndarray:
    """What the camera makes of a level, for every quarter of a gray level from 0 to 1023: uint8 (4096,).

    Some contrast, as cameras add; highlights are compressed, not cut off.
    """
    levels = (np.arange(4096, dtype=np.float32) / 4 - 110) * contrast + 112
    levels = np.where(levels > 205, 255 - 50 * np.exp((205 - levels) / 50), levels)
    return np.clip(levels, 0, 255).astype(np.uint8)


def head_patches(n: int, size: int = 32, seed: int = 0, each: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut square patches with and without a head in the middle from drawn crowds, for learning to classify.

    A head patch is centered on a head (give or take a tenth of its side), whose length is about half the
    side. A patch without shows bodies, legs, ground or walls at the same scale; heads may only reach into
    its rim. Patches of one crowd share light, camera, ground and clothes, and may overlap: what is to test a network
    must come from other crowds than what it learned from. Every crowd gives as many patches with a head as without
    (but for the last, where n is used up), so a split by crowd stays balanced.

    Args:
        n: number of patches, at least 1; half of them (rounded down) are heads.
        size: side in pixels, 8 to 256.
        seed: the same seed gives the same patches.
        each: of one crowd at most so many patches with a head, and as many without.

    Returns:
        uint8 (n, size, size, 3) RGB patches in random order, int64 (n,) labels, 1 for a head and 0 for none, and
        int64 (n,) crowds: the number of the crowd, from 0, that each patch was cut from.

    Raises:
        DataError: for a value out of its range.

    Example:
        >>> patches, labels, crowds = head_patches(40, size=16)
        >>> patches.shape, int(labels.sum()), len(set(crowds))
        ((40, 16, 16, 3), 20, 3)
        >>> learn, test = crowds < 2, crowds >= 2
    """
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise DataError(f"n must be a whole number of at least 1. Received: n={n!r}")
    if not isinstance(size, (int, np.integer)) or not 8 <= size <= 256:
        raise DataError(f"size must be a whole number of pixels from 8 to 256. Received: size={size!r}")
    if not isinstance(each, (int, np.integer)) or each < 1:
        raise DataError(f"each must be a whole number of at least 1. Received: each={each!r}")
    rng = _generator(seed, 1803)
    found: list[tuple[np.ndarray, int, int]] = []
    crowd, heads = 0, 0
    while len(found) < n:
        with_head, without = _patches_of_one_crowd(size, each, rng)
        pairs = min(len(with_head), len(without), n // 2 - heads)
        # The odd one out has no head.
        odd = int(heads + pairs == n // 2 and n % 2 == 1 and len(without) > pairs)
        found += [(patch, 1, crowd) for patch in with_head[:pairs]]
        found += [(patch, 0, crowd) for patch in without[: pairs + odd]]
        heads += pairs
        crowd += pairs + odd > 0
    patches, labels, crowds = zip(*(found[i] for i in rng.permutation(n)))
    return np.stack(patches), np.array(labels, np.int64), np.array(crowds, np.int64)


def _patches_of_one_crowd(size: int, each: int, rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Patches with and without a head of one newly drawn crowd, at most `each` of either."""
    shape = (480, 640) if size <= 48 else (768, 1024)
    scene = draw_crowd(int(rng.integers(30, 110)), size=shape, seed=int(rng.integers(2**31)))
    picture = Image.fromarray(scene.picture)
    columns, rows = scene.points.astype(int).T
    scale = np.maximum(scene.perspective[rows, columns], 8)
    # Blown-up specks teach nothing, so the nearer people only.
    clear = np.flatnonzero((scene.visible > 0.6) & (2 * HEAD_LENGTH * scale >= np.clip(0.6 * size, 8, 48)))
    with_head, without = [], []
    for i in rng.permutation(clear)[: 3 * each]:
        side = 2 * HEAD_LENGTH * scale[i] * rng.uniform(0.85, 1.2)
        shift = rng.uniform(-0.1, 0.1, 2) * side
        if _inside(scene.points[i] + shift, side, shape):
            with_head.append(_cut(picture, scene.points[i] + shift, side, size))
        # Beside or below somebody, or anywhere.
        away = np.array([rng.normal(0, 0.8), rng.uniform(-0.6, 1.6)]) * scale[i]
        center = scene.points[i] + away if rng.random() < 0.6 else rng.uniform(0, 1, 2) * shape[::-1]
        far = np.abs(scene.points - center).max(1) > 0.5 * side + 0.3 * HEAD_LENGTH * scale
        if _inside(center, side, shape) and far.all():
            without.append(_cut(picture, center, side, size))
    return with_head[:each], without[:each]


def _inside(center: np.ndarray, side: float, shape: tuple[int, int]) -> bool:
    return bool((center >= side / 2).all() and (center[::-1] <= np.array(shape) - side / 2).all())


def _cut(picture: Image.Image, center: np.ndarray, side: float, size: int) -> np.ndarray:
    (left, top), (right, bottom) = (center - side / 2).tolist(), (center + side / 2).tolist()
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, right, bottom)))


def write_dataset(
    folder: str | os.PathLike,
    pictures: int,
    people: tuple[int, int] = (20, 500),
    size: tuple[int, int] = (768, 1024),
    seed: int = 0,
) -> Path:
    """Draw a data set: `images/IMG_1.jpg`, ... and `points.csv`.

    The file has the columns `picture,x,y`, one row a head; a picture with nobody in it has one row with empty
    `x` and `y`. `crowdcount.data.annotations.read_csv` reads it.

    Args:
        folder: where to write; made if it is not there. Pictures and dots that it holds are never replaced.
        pictures: number of pictures, at least 1.
        people: fewest and most people in a picture, both included.
        size: (height, width) in pixels.
        seed: the same seed gives the same data set.

    Returns:
        Path of `points.csv`.

    Raises:
        DataError: for a value out of its range, or if the folder holds `points.csv` or something in `images`.

    Example:
        >>> import tempfile
        >>> file = write_dataset(tempfile.mkdtemp(), 1, people=(2, 2), size=(64, 96))
        >>> len(file.read_text().splitlines())
        3
    """
    if not isinstance(pictures, (int, np.integer)) or pictures < 1:
        raise DataError(f"pictures must be a whole number of at least 1. Received: pictures={pictures!r}")
    low, high = people
    if not 0 <= low <= high <= MOST_PEOPLE:
        raise DataError(
            f"people must be (low, high) with 0 <= low <= high <= {MOST_PEOPLE}. Received: people={people!r}"
        )
    rng = _generator(seed, 1804)
    folder = Path(folder)
    _check_unused(folder)
    scenes: dict[str, np.ndarray] = {}
    try:
        for number in range(1, pictures + 1):
            scene = draw_crowd(int(rng.integers(low, high + 1)), size=size, seed=int(rng.integers(2**31)))
            name = f"images/IMG_{number}.jpg"
            scenes[name] = scene.points
            _save(scene, folder / name)
        return _save_points(scenes, folder / "points.csv")
    except BaseException:  # left there, pictures without dots would be in the way of the next try
        for name in scenes:
            (folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            (folder / "images").rmdir()
        raise


def _check_unused(folder: Path) -> None:
    """Refuse a folder with somebody's pictures or dots: drawn ones would replace them or come among them."""
    for path in (folder / "points.csv", folder / "images"):
        empty = path.name == "images" and path.is_dir() and not any(path.iterdir())
        if os.path.lexists(path) and not empty:
            raise DataError(
                f"{path} exists already, and what is drawn must not replace it or mix with it. Choose another folder, "
                f"or remove points.csv and images from {folder}."
            )


def _save(scene: Scene, path: Path, quality: int = 88) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(scene.picture).save(temporary, quality=quality)


def _save_points(points: dict[str, np.ndarray], path: Path) -> Path:
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("picture", "x", "y"))
        for name, heads in points.items():
            writer.writerows([(name, f"{x:.2f}", f"{y:.2f}") for x, y in heads] or [(name, "", "")])
    return path


# Number, people, size and scene of each bundled picture. In ShanghaiTech's layout the numbers lie far above its own, so
# nobody takes one for the other; in every set one of the training pictures falls to validation.
_BUNDLED = {
    "part_A/train_data": [
        (1001, 60, (288, 384), "square"),
        (1002, 120, (324, 432), "stands"),
        (1003, 25, (243, 333), "street"),
        (1004, 90, (300, 400), "hall"),
    ],
    "part_A/test_data": [(1001, 45, (231, 311), "street"), (1002, 110, (288, 400), "square")],
    "part_B/train_data": [
        (1001, 12, (192, 256), "street"),
        (1002, 30, (192, 256), "hall"),
        (1004, 20, (192, 256), "square"),
    ],
    "part_B/test_data": [(1001, 8, (192, 256), "square"), (1002, 24, (192, 256), "street")],
    "images": [
        (1, 0, (192, 256), "square"),
        (2, 1, (192, 256), "street"),
        (3, 15, (192, 256), "hall"),
        (4, 40, (240, 320), "street"),
        (5, 80, (384, 512), "square"),
        (6, 120, (320, 432), "stands"),
        (7, 35, (249, 337), "square"),
        (8, 55, (300, 400), "hall"),
    ],
}


def draw_sample() -> Scene:
    """Draw the hall of 200 people that comes with crowdcount, 1024x768, as `crowdcount count --demo` counts it."""
    return draw_crowd(200, seed=47, scene="hall", density=0.45, noise=2.5)


def write_bundled(folder: str | os.PathLike) -> None:
    """Draw again what lies in the repository's folder `datasets`: `drawn/`, `sample.jpg` and `sample.csv`.

    `drawn/part_A` and `drawn/part_B` have ShanghaiTech's layout; `drawn/images` goes with `drawn/points.csv`.

    Args:
        folder: where to write, `datasets` in a checkout.
    """
    folder = Path(folder)
    points = {}
    for place, entries in _BUNDLED.items():
        for number, people, size, kind in entries:
            seed = zlib.crc32(f"{place}/{number}".encode())
            scene = draw_crowd(people, size=size, seed=seed, scene=kind)
            root = folder / "drawn" / place
            if place == "images":
                points[f"images/crowd_{number}.jpg"] = scene.points
                _save(scene, root / f"crowd_{number}.jpg", quality=80)
            else:
                _save_mat(scene.points, root / "ground-truth" / f"GT_IMG_{number}.mat")
                _save(scene, root / "images" / f"IMG_{number}.jpg", quality=80)
    _save_points(points, folder / "drawn" / "points.csv")
    sample = draw_sample()
    _save(sample, folder / "sample.jpg", quality=80)
    _save_points({"sample.jpg": sample.points}, folder / "sample.csv")


def _save_mat(points: np.ndarray, path: Path) -> None:
    """Write points as ShanghaiTech does: `image_info[0, 0][0, 0]` holds the points and their number."""
    info = np.empty((1, 1), dtype=[("location", object), ("number", object)])
    info[0, 0] = points, np.array([[len(points)]])
    cell = np.empty((1, 1), object)
    cell[0, 0] = info
    with atomic_path(path) as temporary:
        savemat(temporary, {"image_info": cell}, do_compression=True)
