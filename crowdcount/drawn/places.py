"""Places for drawn crowds: a camera over a ground plane; streets, squares, stands and halls seen through it.

World frame, in meters: X to the right, Y up, Z away from the camera, which stands over the origin. Pixels:
x to the right, y down, the center of the upper left pixel at (0.5, 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from crowdcount.drawn.people import noise_tile

ROW_DEPTH, ROW_RISE, SEAT_WIDTH = 0.85, 0.46, 0.52
"""Rows of the stands, in meters."""
STRIP = 32
"""Rows of the picture that are worked on at once: so few that they stay in the processor's cache."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without roll.

    Attributes:
        height: meters above the lowest ground.
        tilt: degrees below the horizontal at which it looks.
        focal: focal length in pixels.
        shape: (height, width) of the picture in pixels.
        start: where the rising ground starts, meters ahead (stands only).
        rise: meters that the ground rises for a meter of Z beyond `start`; 0 for flat ground.
    """

    height: float
    tilt: float
    focal: float
    shape: tuple[int, int]
    start: float = 0.0
    rise: float = 0.0

    @property
    def _turn(self) -> tuple[float, float]:
        return math.cos(math.radians(self.tilt)), math.sin(math.radians(self.tilt))

    def project(self, x, y, z):
        """World to picture: pixel column, pixel row, pixels per meter there."""
        cos, sin = self._turn
        depth = np.maximum(z * cos + (self.height - y) * sin, 0.05)
        down = (self.height - y) * cos - z * sin
        return (
            self.shape[1] / 2 + self.focal * x / depth,
            self.shape[0] / 2 + self.focal * down / depth,
            self.focal / depth,
        )

    def ground(self, px, py, level=0.0):
        """Picture to the ground raised by `level` meters: X, Z and depth along the axis.

        The depth is negative where no ground is met.
        """
        cos, sin = self._turn
        t = (np.asarray(py, np.float64) - self.shape[0] / 2) / self.focal
        above = self.height - (level - self.rise * self.start)
        divisor = t * (cos - self.rise * sin) + self.rise * cos + sin
        z = above * (cos - t * sin) / np.where(np.abs(divisor) < 1e-9, 1e-9, divisor)
        depth = z * cos + (above - self.rise * z) * sin
        depth = np.where((z > 0) & (divisor > 1e-9), depth, -1.0)
        return (np.asarray(px, np.float64) - self.shape[1] / 2) / self.focal * depth, z, depth

    def floor_height(self, z):
        """Height of the ground at Z: 0, or the slope of the stands."""
        return self.rise * np.maximum(np.asarray(z) - self.start, 0.0)

    def elevation(self, py):
        """Degrees below the horizontal at which the row `py` of the picture is seen."""
        return self.tilt + np.degrees(np.arctan((np.asarray(py) - self.shape[0] / 2) / self.focal))

    def perspective(self, level: float, farthest: float) -> np.ndarray:
        """Pixels per meter of things `level` meters over the ground: float32 (height, width).

        It is 0 where no ground is met, beyond `farthest` meters of depth, and before the stands begin.
        """
        _, z, depth = self.ground(0.0, np.arange(self.shape[0]) + 0.5, level)
        there = (depth > 0) & (depth <= farthest) & (z >= self.start)
        column = np.where(there, self.focal / np.where(there, depth, 1.0), 0.0).astype(np.float32)
        return np.repeat(column[:, None], self.shape[1], axis=1)


@dataclass(frozen=True)
class Light:
    """Light of a scene. `sun` (3,): unit vector toward the sun, to the right, up and toward the camera."""

    sun: np.ndarray
    direct: float
    ambient: float


_DICE = np.random.default_rng(77).random(4096).astype(np.float32)


def _dice(*numbers) -> np.ndarray:
    """The same numbers give the same chance, 0 to 1, whatever the shape of the arrays."""
    mixed = np.zeros((), np.int32)
    for number, factor in zip(numbers, (73, 1217, 331, 2689)):
        mixed = mixed + np.asarray(number).astype(np.int32) * factor
    return _DICE.take(mixed & 4095)


def _grain(x, z, step: float, seed: int, falloff: float = 1.0) -> np.ndarray:
    """Noise over a surface, one sample of the tile per `step` meters."""
    row, column = (z / step).astype(np.int32) & 255, (x / step).astype(np.int32) & 255
    return noise_tile(seed, falloff=falloff).ravel().take(row * 256 + column)


def _fraction(values):
    """What `values % 1` is, many times faster."""
    return values - np.floor(values)


def _every(number: int, values):
    """Whether whole `values` are multiples of `number`."""
    return number * np.floor(values / number) == values


def _paving(x, z, footprint, style: dict) -> Iterator[np.ndarray]:
    """Red, green and blue of the ground at X, Z (along the street); a pixel is `footprint` meters wide."""
    tone = 1 + 0.05 * _grain(x, z, 0.05, 21, 0.8) + 0.06 * _grain(x, z, 0.12, 22, 1.7)
    band, other = False, style["band"]
    if style["paving"] != "asphalt":
        width, length = style["slab"]
        across, along = x / width, z / length
        row = np.floor(along)
        if style["paving"] == "bond":
            across = across + _fraction(row / 2)
        tone += (_dice(np.floor(across), row, style["seed"]) - 0.5) * style["contrast"]
        to_joint = np.minimum(
            np.abs(_fraction(across) - 0.5) * -width + width / 2,
            np.abs(_fraction(along) - 0.5) * -length + length / 2,
        )
        joint = np.clip((0.02 + 0.5 * footprint - to_joint) / np.maximum(footprint, 1e-3), 0, 1)
        tone -= 0.28 * joint * np.minimum(1, 0.03 / np.maximum(footprint, 1e-3))
        if style["bands"]:
            band = _every(3, np.floor(x / style["bands"])) | _every(4, np.floor(z / (1.4 * style["bands"])))
    elif style["bands"]:
        band, other = (_fraction(x) < 0.45) & _every(6, np.floor(z / 4.0) - 1), (206, 206, 200)
        tone[band] -= 0.1 * np.abs(_grain(x[band], z[band], 0.015, 23, 0.9))
    tone -= 0.3 * np.clip(_grain(x, z, 0.03, 24, 0.7) - 2.1, 0, 1)
    for ground, color in zip(style["ground"], other):
        yield np.where(band, np.float32(color), ground) * tone


def _facade(u, y, side: int, style: dict) -> tuple[np.ndarray, np.ndarray]:
    """Color of a row of houses at `u` meters along and `y` up, and whether a house stands there."""
    lot = style["lot"]
    house = np.floor(u / lot)
    die = _dice(house, side, style["seed"])
    die2 = _dice(house, side + 9, style["seed"] + 5)
    top = style["low"] + (style["high"] - style["low"]) * die
    walls = np.array(
        [(170, 150, 126), (196, 186, 170), (128, 92, 74), (150, 148, 146), (108, 104, 104), (206, 196, 178)],
        np.float32,
    )
    color = walls[(die2 * 5.99).astype(int)] * (1 + 0.05 * _grain(u, y, 0.12, 25))[..., None]
    story = 3.0 + 0.8 * die
    level = np.floor(y / story)
    bay = 1.5 + 2.2 * die2
    window = np.floor(u / bay)
    fu, fy = _fraction(u / bay), _fraction(y / story)
    glass = (np.abs(fu - 0.5) < 0.2 + 0.22 * die) & (np.abs(fy - 0.52) < 0.3)
    frame = (np.abs(fu - 0.5) < 0.23 + 0.22 * die) & (np.abs(fy - 0.52) < 0.34) & ~glass
    pane = _dice(window, level, side)
    color[frame] *= 1.2
    color[glass] = (np.array([52, 62, 74], np.float32) + pane[glass, None] * np.array([70, 74, 78], np.float32)) * (
        0.8 + 0.5 * fy[glass, None]
    )
    lit = glass & (pane > 0.85)
    color[lit] = (214, 190, 140)
    # The ground floor is shops: glass with goods, a sign above.
    shop = level == 0
    goods = shop & (fy < 0.72) & (np.abs(fu - 0.5) < 0.46)
    display = _grain(u, y, 0.05, 26, 1.5)
    wares = np.array(
        [(96, 84, 70), (70, 78, 88), (150, 128, 92), (60, 52, 50), (118, 96, 100), (168, 158, 140)],
        np.float32,
    )
    color[goods] = wares[(_dice(window[goods], house[goods]) * 5.99).astype(int)] + 16 * display[goods, None]
    shelf = goods & (_fraction(fy * 5) < 0.12)
    color[shelf] *= 0.75
    sign = shop & (fy >= 0.76) & (fy < 0.96)
    tint = (
        _dice(house, side + 3)[sign, None] * np.array([170, 20, 40], np.float32)
        + _dice(house, side + 4)[sign, None] * (np.array([20, 90, 150], np.float32))
        + 30
    )
    letters = (np.abs(fy[sign] - 0.86) < 0.05) & (_dice(np.floor(u[sign] / 0.22), house[sign]) > 0.45)
    color[sign] = np.where(letters[:, None], 235, tint)
    color[np.abs(fy) < 0.035] *= 0.82
    return color, y < top


def _hall_wall(u, y, side: int, style: dict) -> tuple[np.ndarray, np.ndarray]:
    color = np.empty((*u.shape, 3), np.float32)
    color[:] = style["wall"]
    panel = np.floor(u / 2.4)
    color *= (
        0.92
        + 0.16 * _dice(panel, side, style["seed"])
        - 0.25 * (_fraction(u / 2.4) < 0.03)
        + 0.03 * _grain(u, y, 0.1, 25)
    )[..., None]
    color[y < 1.1] *= 0.7
    door = (_fraction(u / 12) < 0.18) & (y < 2.4)
    color[door] = (62, 44, 34)
    exit_sign = (np.abs(_fraction(u / 12) - 0.09) < 0.03) & (np.abs(y - 2.7) < 0.16)
    color[exit_sign] = (60, 210, 120)
    screen = (side == 2) & (np.abs(_fraction(u / 16) - 0.6) < 0.2) & (np.abs(y - 3.9) < 1.3)
    glow = _grain(u, y, 0.03, 27, 1.9)
    color[screen] = np.array([110, 140, 200], np.float32) + 30 * glow[screen, None]
    return color, y < style["ceiling"]


_ZENITHS = [(120, 160, 214), (190, 198, 206)]


def _sky(camera: Camera, rows: np.ndarray, zenith) -> np.ndarray:
    """Colors of the sky in `rows` of the picture: float64 (rows, width, 3)."""
    up = -camera.elevation(rows)[:, None]
    low, high = np.array([222, 226, 230], np.float32), np.array(zenith, np.float32)
    color = low + (high - low) * np.clip(up / 35, 0, 1)[..., None]
    u, v = np.arange(camera.shape[1]) + 1000, np.maximum(up, 0.5)
    cloud = np.clip(_grain(u * 900 / camera.focal / 3, 900 / v, 1.0, 27, 1.7), 0, 2) * np.float32(14)
    return np.stack([color[..., i] + cloud for i in range(3)], axis=-1)


def paint_place(camera: Camera, scene: str, light: Light, farthest: float, rng: np.random.Generator):
    """Paint a scene without people.

    Args:
        camera: the viewpoint.
        scene: "street", "square", "stands" or "hall".
        light: the light.
        farthest: depth in meters beyond which nobody stands; walls close the view there.
        rng: source of chance.

    Returns:
        float32 (height, width, 3) colors 0..255, bool (height, width) where flat ground is seen.
    """
    height, width = camera.shape
    if scene == "stands":
        return _paint_behind_stands(camera, light, farthest, rng), np.zeros((height, width), bool)
    cos, sin = camera._turn
    indoor = scene == "hall"
    grounds = [
        (128, 126, 122),
        (150, 142, 132),
        (104, 102, 102),
        (142, 118, 104),
        (168, 164, 158),
        (92, 94, 98),
    ]
    style = {
        "seed": int(rng.integers(1, 2000)),
        "ground": np.array(rng.choice(grounds), np.float32) * rng.uniform(0.85, 1.1),
        "paving": rng.choice(["slabs", "bond", "asphalt"], p=[0.4, 0.4, 0.2]) if not indoor else "slabs",
        "slab": rng.choice([(0.6, 0.6), (0.9, 0.6), (0.4, 0.2), (1.2, 0.8)]),
        "contrast": rng.uniform(0.06, 0.2),
        "bands": rng.choice([0, 3.0, 5.0]),
        "lot": rng.uniform(9, 18),
        "low": 6.0 if scene == "street" else 10.0,
        "high": 16.0 if scene == "street" else 32.0,
        "wall": np.array(rng.choice([(170, 160, 146), (120, 108, 100), (196, 190, 180)]), np.float32),
        "ceiling": rng.uniform(5.5, 8.5),
    }
    style["band"] = style["ground"] * np.float32(rng.choice([0.7, 1.18])) * rng.uniform(0.92, 1.08, 3)
    yaw = math.radians(rng.uniform(-16, 16))
    turn_x, turn_z = math.cos(yaw), math.sin(yaw)
    zenith = rng.choice(_ZENITHS) if not indoor else None
    half = max(farthest * 0.42, camera.height * 0.9, 6.0) if scene != "square" else farthest * 1.1
    beyond = farthest * rng.uniform(1.02, 1.2)
    # Which of the place's axes the wall stands across and along, how far away, which side, its light.
    walls = [("z", "x", beyond, 2, light.sun[2])]
    if scene != "square":
        walls += [
            ("-x", "z", half * rng.uniform(0.8, 1.2), 0, light.sun[0]),
            ("x", "z", half * rng.uniform(0.8, 1.2), 1, -light.sun[0]),
        ]
    picture = np.empty((height, width, 3), np.float32 if indoor else np.float64)
    ground = np.empty((height, width), bool)
    sx = ((np.arange(width) + 0.5 - width / 2) / camera.focal)[None, :].astype(np.float32)
    for top in range(0, height, STRIP):
        rows = np.arange(top, min(top + STRIP, height))
        t = ((rows + 0.5 - height / 2) / camera.focal)[:, None].astype(np.float32)
        ahead, fall = cos - t * sin, sin + t * cos  # Z and loss of height for a meter of depth
        # The same for the axes of the place.
        axes = {"x": sx * turn_x - ahead * turn_z, "z": sx * turn_z + ahead * turn_x}
        axes["-x"] = -axes["x"]
        strip = slice(top, top + STRIP)
        _paint_strip(picture[strip], ground[strip], rows, axes, fall, walls, camera, light, zenith, style)
    if scene == "square" and rng.random() < 0.7:
        _plant_trees(picture, camera, beyond, light, rng)
    return picture, ground


def _paint_strip(picture, ground, rows, axes, fall, walls, camera: Camera, light: Light, zenith, style: dict) -> None:
    """Paint `rows` of a scene into `picture`, and into `ground` where it is seen; both (rows, width).

    Args:
        picture: colors, (rows, width, 3).
        ground: bool (rows, width).
        rows: numbers of the rows.
        axes: meters along each axis of the place for a meter of depth, (rows, width).
        fall: loss of height for a meter of depth, (rows, 1).
        walls: axis across, axis along, distance, side and light of each wall.
        camera: the viewpoint.
        light: the light.
        zenith: color of the sky overhead; None in a hall.
        style: what the place is made of.
    """
    indoor = zenith is None
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(fall > 1e-4, camera.height / fall, np.inf).astype(np.float32)
    # A row shows either ground or what is above it, the upper rows the latter.
    above = int(np.count_nonzero(depth >= 400))
    picture[:above] = _sky(camera, rows[:above], zenith) if not indoor else 60
    ground[:above], ground[above:] = False, True
    if above < len(rows):
        on = depth[above:]
        x, z = axes["x"][above:] * on, axes["z"][above:] * on
        # A polished floor mirrors the lamps.
        shine = np.clip(_grain(x, z * 0.25, 0.1, 29, 1.8), 0, 2) * 16 if indoor else None
        for i, color in enumerate(_paving(x, z, on / camera.focal, style)):
            if indoor:
                color += shine
            picture[above:, :, i] = color * (light.ambient + light.direct * light.sun[1])
    nearest = np.repeat(depth, picture.shape[1], axis=1)
    paint = _hall_wall if indoor else _facade
    for across, along, distance, side, facing in walls:
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.where(axes[across] > 1e-4, distance / axes[across], np.inf)
        rise = camera.height - depth * fall
        seen = (depth < nearest) & (rise > 0) & (rise < 60)
        if not seen.any():
            continue
        color, stands = paint(axes[along][seen] * depth[seen] + 500, rise[seen], side, style)
        at = tuple(index[stands] for index in np.nonzero(seen))
        bright = light.ambient + light.direct * max(float(facing), 0.0) if not indoor else 0.9
        picture[at] = color[stands] * bright
        nearest[at] = depth[at]
        ground[at] = False
    if indoor:
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.where(fall < -1e-4, (style["ceiling"] - camera.height) / -fall, np.inf)
        depth = np.broadcast_to(depth, nearest.shape)
        seen = (depth > 0) & (depth < nearest)
        x, z = axes["x"][seen] * depth[seen], axes["z"][seen] * depth[seen]
        color = np.full((len(x), 3), 70, np.float32) + 4 * _grain(x, z, 0.2, 25)[:, None]
        color[_fraction(x / 1.2) < 0.06] *= 0.7
        lamp = (np.abs(_fraction(x / 2.4) - 0.5) < 0.08) & (np.abs(_fraction(z / 3.6) - 0.5) < 0.3)
        color[lamp] = (252, 250, 240)
        picture[seen] = color


def _plant_trees(picture: np.ndarray, camera: Camera, distance: float, light: Light, rng: np.random.Generator) -> None:
    """Trees in front of the far houses, behind everybody."""
    height, width = camera.shape
    for _ in range(int(rng.integers(2, 7))):
        x, z, crown = (
            rng.uniform(-0.6, 0.6) * distance,
            distance * rng.uniform(0.96, 1.0),
            rng.uniform(1.6, 3.0),
        )
        px, foot, scale = (float(value) for value in camera.project(x, 0.0, z))
        middle = float(camera.project(x, crown + 2.2, z)[1])
        trunk = max(int(0.12 * scale), 1)
        rows = slice(max(int(middle), 0), max(min(int(foot), height), 0))
        picture[rows, max(int(px) - trunk, 0) : max(int(px) + trunk, 0)] = (62, 50, 40)
        radius = crown * scale
        top, bottom = max(int(middle - radius), 0), min(int(middle + radius), height)
        left, right = max(int(px - radius), 0), min(int(px + radius), width)
        if top >= bottom or left >= right:
            continue
        v, u = np.mgrid[top:bottom, left:right].astype(np.float32)
        u, v = (u - px) / radius, (v - middle) / radius
        leaf = _grain((u + 9) * crown, (v + 9) * crown, 0.03, 28, 0.9)
        inside = u * u + v * v + 0.22 * leaf < 0.8
        green = np.array([58, 88, 42], np.float32) * (0.75 + 0.22 * leaf - 0.3 * v + 0.3 * light.direct)[..., None]
        picture[top:bottom, left:right][inside] = np.clip(green[inside], 8, 200)


def _paint_behind_stands(camera: Camera, light: Light, farthest: float, rng: np.random.Generator) -> np.ndarray:
    """What is seen above and below the rows: sky or roof, the back wall, the field and its boards."""
    height, width = camera.shape
    picture = _sky(camera, np.arange(height), rng.choice(_ZENITHS))
    rows = (np.arange(height) + 0.5)[:, None]
    if rng.random() < 0.5:
        beam = 0.85 + 0.15 * _grain(np.arange(width)[None, :] * 0.02 + 0 * rows, rows + np.zeros((1, width)), 0.3, 25)
        picture = np.array([74, 76, 82], np.float32) * beam[..., None]
    last = last_row(camera, farthest)
    z = camera.start + last * ROW_DEPTH
    back, _ = (float(camera.project(0.0, last * ROW_RISE + lift, z)[1]) for lift in (2.6, 0.0))
    picture[max(int(back), 0) :] = np.array([132, 128, 124], np.float32) * light.ambient
    foot = float(camera.project(0.0, 0.0, camera.start - 1.5)[1])
    if foot < height:
        turf = rng.choice([(84, 118, 60), (132, 84, 66), (124, 122, 118)])
        v, u = np.mgrid[max(int(foot), 0) : height, 0:width]
        picture[max(int(foot), 0) :] = (
            turf * (1 + 0.06 * _grain(u, v, 1.0, 24, 0.8))[..., None] * (light.ambient + 0.4 * light.direct)
        )
        board = float(camera.project(0.0, 1.0, camera.start - 1.5)[1])
        colors = rng.uniform(40, 230, (12, 3)).astype(np.float32)
        strip = colors[(np.arange(width) * 12 // max(width, 1))]
        picture[max(int(board), 0) : max(int(foot), 0)] = strip * light.ambient
    return picture


def last_row(camera: Camera, farthest: float) -> int:
    """Number of the last row of the stands, the first being 0."""
    cos, sin = camera._turn
    # depth = Z cos + (height - rise (Z - start)) sin, solved for Z.
    z = (farthest - (camera.height + camera.rise * camera.start) * sin) / max(cos - camera.rise * sin, 1e-3)
    return int(np.clip((z - camera.start) / ROW_DEPTH, 1, 90))


def paint_row(canvas: Image.Image, camera: Camera, row: int, seat: np.ndarray, light: Light, aisle: float) -> None:
    """Paint steps and empty seats of one row of the stands over what lies behind it, in place."""
    height, width = camera.shape
    z, y = camera.start + row * ROW_DEPTH, row * ROW_RISE
    center, top, scale = (float(value) for value in camera.project(0.0, y + 0.8, z + 0.25))
    edges = [
        top,
        *(
            float(camera.project(0.0, up, away)[1])
            for up, away in ((y + 0.42, z - 0.2), (y, z - ROW_DEPTH / 2), (y - ROW_RISE, z - ROW_DEPTH / 2))
        ),
    ]
    top, middle, floor, foot = (min(max(round(edge), 0), height) for edge in edges)
    if foot <= top:
        return
    strip = np.asarray(canvas.crop((0, top, width, foot))).copy()
    bright = light.ambient + 0.5 * light.direct
    strip[max(middle - top, 0) : max(floor - top, 0)] = min(118 * bright, 255)
    strip[max(floor - top, 0) :] = min(84 * bright, 255)
    x = (np.arange(width) + 0.5 - center) / scale
    place = (x / SEAT_WIDTH) % 1
    there = (place > 0.06) & (place < 0.94) & on_seats(x, aisle)
    count = middle - top
    if count > 0 and there.any():
        number = np.floor(x[there] / SEAT_WIDTH)
        shade = np.linspace(1.0, 0.8, count)[:, None] * (0.86 + 0.2 * _dice(number, row))
        strip[:count, there] = np.clip(seat * bright * shade[..., None], 0, 255)
    canvas.paste(Image.fromarray(strip), (0, top))


def on_seats(x, aisle: float) -> np.ndarray:
    """Whether X lies among seats and not on the stairs, which come every `aisle` meters."""
    return (np.asarray(x) / aisle + 0.37) % 1 > 1.2 / aisle
