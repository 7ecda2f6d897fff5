"""People for drawn crowds: solid figures of ellipsoids and tapered limbs, seen from any side and height.

A figure is rendered once as a `Figure`: which material each pixel shows and which way the surface faces.
Light and colors are put on afterwards, so one figure serves many people of one scene, each in their own
clothes and skin.

Lengths are in meters in a frame of the person: x to the side, y forward, z up, the origin on the ground
between the feet. An adult here is 1.72 m tall with the center of the head at 1.60 m.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

SKIN, HAIR, HAT, TOP, TRIM, BOTTOM, SHOES, BAG, DARK = range(1, 10)
MATERIALS = 10
_CLOTH = np.isin(np.arange(MATERIALS), (TOP, TRIM, BOTTOM, BAG))
HEAD_HEIGHT = 1.60
SEATED_DROP = 0.43
HEAD_LENGTH = 0.24
ELEVATION_STEP = 20.0
SHAPES = 96
"""Number of different bodies (build, posture, cut of the clothes, hair); colors come on top."""

_SKULL = np.array([0.077, 0.095, 0.116], np.float32)


@dataclass(frozen=True, eq=False)
class Figure:
    """One rendered body.

    Attributes:
        material: uint8 (h, w), 0 where there is nothing, else SKIN, HAIR, ...
        normal: float32 (h, w, 3), unit vectors: to the right of the picture, up in it, toward the camera.
        tone: float32 (h, w), factor on the color: folds, strands of hair, eyes, mouth.
        kind: uint8 (h, w): 0 where there is nothing, 2 on the head with its hair or hat, else 1.
        head_x, head_y: center of the head in pixels of the figure.
        scale: pixels per meter.
    """

    material: np.ndarray
    normal: np.ndarray
    tone: np.ndarray
    kind: np.ndarray
    head_x: float
    head_y: float
    scale: float


@lru_cache(maxsize=32)
def noise_tile(seed: int, side: int = 256, falloff: float = 1.0) -> np.ndarray:
    """Noise that repeats without a seam: float32 (side, side), mean 0, standard deviation 1.

    Its amplitude goes with 1 / frequency**falloff.
    """
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    radius = np.hypot(fy, fx)
    radius[0, 0] = np.inf
    tile = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((side, side))) / radius**falloff, s=(side, side))
    tile = (tile / tile.std()).astype(np.float32)
    tile.flags.writeable = False
    return tile


def _view(yaw: float, elevation: float) -> np.ndarray:
    """Rows: right in the picture, up in it and toward the camera, in the frame of the person.

    At yaw 0 the person faces the camera.
    """
    right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
    toward = np.array([np.sin(yaw) * np.cos(elevation), np.cos(yaw) * np.cos(elevation), np.sin(elevation)])
    up = np.array([-np.sin(yaw) * np.sin(elevation), -np.cos(yaw) * np.sin(elevation), np.cos(elevation)])
    return np.stack([right, up, toward]).astype(np.float32)


class _Ellipsoid(NamedTuple):
    """`turn` rotates it about the vertical; `keep(x, y, z)` says which of its surface points exist."""

    center: np.ndarray
    radii: np.ndarray
    material: int
    turn: float
    keep: Callable | None
    head: bool


class _Limb(NamedTuple):
    """A rod with round ends whose radius goes from `radius` to `end_radius`."""

    start: np.ndarray
    end: np.ndarray
    radius: float
    end_radius: float
    material: int
    head: bool


class Parts(list):
    """What a body is put together from, in an order: of two surfaces in one place the first is seen."""

    def ellipsoid(self, center, radii, material, *, turn=0.0, keep=None, head=False):
        self.append(
            _Ellipsoid(np.asarray(center, np.float32), np.asarray(radii, np.float32), material, turn, keep, head)
        )

    def limb(self, start, end, radius, end_radius, material, *, head=False):
        self.append(
            _Limb(np.asarray(start, np.float32), np.asarray(end, np.float32), radius, end_radius, material, head)
        )


class Canvas:
    """Where ellipsoids and limbs are drawn, without perspective: `height` by `width` pixels.

    All parts of one kind are drawn at once, one after another in flat arrays: most of them cover so few
    pixels that to draw each by itself costs many times as much.
    """

    def __init__(self, yaw: float, elevation: float, scale: float):
        self.view = _view(yaw, elevation)
        self.yaw, self.elevation = yaw, elevation
        self.scale = scale
        # Enough for a raised arm above and for feet below, whatever the elevation.
        self.height, self.width = int(2.5 * scale), int(1.5 * scale)
        self.x0, self.y0 = 0.75, float(2.05 * np.cos(elevation) + 0.25)
        self.u = (np.arange(self.width, dtype=np.float32) + 0.5) / scale - self.x0
        self.v = self.y0 - (np.arange(self.height, dtype=np.float32) + 0.5) / scale

    def pixel(self, point) -> tuple[float, float]:
        """Column and row (fractional) of a point."""
        u, v, _ = self.view @ np.asarray(point, np.float32)
        return float((u + self.x0) * self.scale), float((self.y0 - v) * self.scale)

    def draw(self, parts: Parts) -> tuple[np.ndarray, ...]:
        """What is seen of the parts.

        Returns:
            Of every pixel that shows something: its number, row by row and rising; depth; normal (n, 3);
            number of the part.
        """
        rod = np.array([isinstance(part, _Limb) for part in parts])
        solids, rods = (
            draw([parts[i] for i in which], which)
            for draw, which in ((self._ellipsoids, np.flatnonzero(~rod)), (self._limbs, np.flatnonzero(rod)))
        )
        at, depth, part = (np.concatenate(pair) for pair in zip(solids[:3], rods[:3]))
        nearest = np.full(self.height * self.width, -np.inf, np.float32)
        np.maximum.at(nearest, at, depth)
        near = np.flatnonzero(depth == nearest[at])
        first = np.full(self.height * self.width, len(parts))
        np.minimum.at(first, at[near], part[near])
        seen = near[first[at[near]] == part[near]]
        # Normals cost most, so only what is seen has them worked out.
        split = len(solids[0])
        rods_from = int(np.searchsorted(seen, split))
        normal = np.concatenate([solids[3](seen[:rods_from]), rods[3](seen[rods_from:] - split)])
        order = np.argsort(at[seen])
        seen = seen[order]
        return at[seen], depth[seen], normal[order], part[seen]

    def _windows(self, u0, u1, v0, v1):
        """The pixels of the windows that reach from `u0` to `u1` and `v0` to `v1`, one after another."""
        return _Windows(
            np.maximum(((u0 + self.x0) * self.scale).astype(int), 0),
            np.minimum(((u1 + self.x0) * self.scale).astype(int) + 2, self.width),
            np.maximum(((self.y0 - v1) * self.scale).astype(int), 0),
            np.minimum(((self.y0 - v0) * self.scale).astype(int) + 2, self.height),
        )

    def _ellipsoids(self, parts: list[_Ellipsoid], numbers: np.ndarray):
        """Of every pixel of every part: its number, depth and part, and what gives the normals of some."""
        centers = np.einsum("kj,ij->ki", np.stack([part.center for part in parts]), self.view)
        turned = {turn: _view(self.yaw + turn, self.elevation) for turn in {part.turn for part in parts}}
        views = np.stack([turned[part.turn] for part in parts])
        radii = np.stack([part.radii for part in parts])[:, None]
        # In units of the radii it is a unit sphere: |p + t c| = 1, the solution nearer to the camera.
        side, up, toward = (views / radii).transpose(1, 0, 2)
        reach_u, reach_v = np.sqrt(((views[:, :2] * radii) ** 2).sum(2)).T.astype(float)
        cu, cv, _ = centers.T.astype(float)
        window = self._windows(cu - reach_u, cu + reach_u, cv - reach_v, cv + reach_v)

        def dot(one, other):
            return (one * other).astype(float).sum(1).astype(np.float32).astype(float)

        a, m, n = dot(toward, toward), dot(side, toward), dot(up, toward)
        u = self.u[window.column] - window.each_column(centers[:, 0])
        v = self.v[window.row] - window.each_row(centers[:, 1])
        # b = m u + n v and c = |u side + v up|^2 - 1; a line through the pixel meets it where b b - a c > 0.
        inside = window.of_row(v * window.each_row(2 * (m * n - a * dot(side, up)))) * window.of_column(u)
        inside += window.of_column(u * u * window.each_column(m * m - a * dot(side, side)))
        inside += window.of_row(v * v * window.each_row(n * n - a * dot(up, up)) + window.each_row(a))
        hit = np.flatnonzero(inside > 0)
        row, column = window.row_of[hit], window.column_of[hit]
        t = np.sqrt(inside[hit]) - ((u * window.each_column(m))[column] + (v * window.each_row(n))[row])
        part = window.owner[row]
        t /= a.astype(np.float32)[part]
        at = window.row[row] * self.width + window.column[column]
        points = np.stack([u[column], v[row], t], 1)
        ends = np.searchsorted(part, np.arange(len(parts) + 1)).tolist()
        there = np.ones(len(hit), bool)
        for k, solid in enumerate(parts):
            if solid.keep is not None:
                mine = slice(ends[k], ends[k + 1])
                there[mine] = solid.keep(*(points[mine] @ views[k]).T)
        at, points, part = at[there], points[there], part[there]

        def normals(which):
            normal = points[which]
            ends = np.searchsorted(part[which], np.arange(len(parts) + 1)).tolist()
            for k, (start, end) in enumerate(pairwise(ends)):
                if start < end:
                    normal[start:end] = normal[start:end] @ views[k] @ (views[k] / radii[k] ** 2).T
            return normal / np.sqrt(np.einsum("ni,ni->n", normal, normal))[:, None]

        return at, points[:, 2] + centers[part, 2], numbers[part], normals

    def _limbs(self, parts: list[_Limb], numbers: np.ndarray):
        """As `_ellipsoids`."""
        starts, ends = (
            np.einsum("kj,ij->ki", np.stack([part[end] for part in parts]), self.view).astype(float) for end in (0, 1)
        )
        radius, end_radius = (np.array([part[end] for part in parts], float) for end in (2, 3))
        (u0, v0, d0), (u1, v1, d1) = starts.T, ends.T
        reach = np.maximum(radius, end_radius)
        window = self._windows(
            np.minimum(u0, u1) - reach,
            np.maximum(u0, u1) + reach,
            np.minimum(v0, v1) - reach,
            np.maximum(v0, v1) + reach,
        )
        du, dv = u1 - u0, v1 - v0
        length = np.maximum(du * du + dv * dv, 1e-6)
        u, v = self.u[window.column] - window.each_column(u0), self.v[window.row] - window.each_row(v0)
        along = window.of_row(v * window.each_row(dv / length))
        along += window.of_column(u * window.each_column(du / length))
        np.clip(along, 0, 1, out=along)
        off_u = window.of_column(u) - along * window.each_pixel(du)
        off_v = window.of_row(v) - along * window.each_pixel(dv)
        r = window.each_pixel(radius) + along * window.each_pixel(end_radius - radius)
        high = r * r - off_u * off_u - off_v * off_v
        hit = np.flatnonzero(high > 0)
        rise, row = np.sqrt(high[hit]), window.row_of[hit]
        part = window.owner[row]
        depth = d0.astype(np.float32)[part] + along[hit] * (d1 - d0).astype(np.float32)[part] + rise
        at = window.row[row] * self.width + window.column[window.column_of[hit]]

        def normals(which):
            pixel = hit[which]
            return np.stack([off_u[pixel], off_v[pixel], rise[which]], -1) / r[pixel][:, None]

        return at, depth, numbers[part], normals


class _Windows:
    """Rectangles of pixels of many sizes in flat arrays: their rows, their columns and their pixels.

    Attributes:
        row, column: of every row (column) of every rectangle, which row (column) of the canvas it is.
        owner: of every row, the rectangle that it belongs to.
        row_of, column_of: of every pixel, its place in `row` (`column`).
    """

    def __init__(self, left, right, top, bottom):
        high = np.maximum(bottom - top, 0)
        self._wide = np.where(high > 0, np.maximum(right - left, 0), 0)
        self.owner = np.repeat(np.arange(len(high)), high)
        first_row, first_column = np.cumsum(high) - high, np.cumsum(self._wide) - self._wide
        self.row = np.arange(len(self.owner)) + (top - first_row)[self.owner]
        self.column = np.arange(self._wide.sum()) + np.repeat(left - first_column, self._wide)
        self._width = self._wide[self.owner]
        self.row_of = np.repeat(np.arange(len(self.owner)), self._width)
        before = first_column[self.owner] - (np.cumsum(self._width) - self._width)
        self.column_of = np.arange(len(self.row_of)) + np.repeat(before, self._width)
        self._pixels = high * self._wide

    def each_row(self, values):
        """What every rectangle has, for each of its rows."""
        return values.astype(np.float32)[self.owner]

    def each_column(self, values):
        """What every rectangle has, for each of its columns."""
        return np.repeat(values.astype(np.float32), self._wide)

    def each_pixel(self, values):
        """What every rectangle has, for each of its pixels."""
        return np.repeat(values.astype(np.float32), self._pixels)

    def of_row(self, values):
        """What every row has, for each of its pixels."""
        return np.repeat(values, self._width)

    def of_column(self, values):
        """What every column has, for each of its pixels."""
        return values.take(self.column_of)


def _add_head(parts: Parts, rng: np.random.Generator, center: np.ndarray, turn: float) -> None:
    style = rng.choice(
        ["short", "crop", "long", "bob", "tail", "bun", "bald", "ring", "cap", "sunhat", "beanie", "scarf"],
        p=[0.33, 0.13, 0.15, 0.09, 0.09, 0.03, 0.02, 0.02, 0.07, 0.01, 0.04, 0.02],
    )
    cos, sin = np.cos(turn), np.sin(turn)

    def at(x, y, z):  # a place on the turned head
        return center + np.array([x * cos + y * sin, -x * sin + y * cos, z], np.float32)

    def ball(place, radii, material, keep=None, head=True):
        parts.ellipsoid(at(*place), radii, material, turn=turn, keep=keep, head=head)

    parts.limb(at(0, -0.015, -0.08), at(0, -0.03, -0.2), 0.052, 0.062, SKIN)
    ball((0, 0, 0), _SKULL, SKIN)
    ball((0, 0.028, -0.062), (0.056, 0.062, 0.062), SKIN)  # jaw
    ball((0, 0.094, -0.012), (0.014, 0.022, 0.026), SKIN)  # nose
    for side in (-1, 1):
        ball((side * 0.077, -0.008, -0.006), (0.012, 0.02, 0.03), SKIN)
    _add_hair(ball, rng, style)


def _add_hair(ball: Callable, rng: np.random.Generator, style: str) -> None:
    """Hair or headwear of a style; `ball` adds an ellipsoid to the turned head."""
    thick = rng.uniform(0.011, 0.024) if style != "crop" else 0.006
    front, nape = rng.uniform(0.035, 0.062), rng.uniform(-0.085, -0.05)

    def hairline(x, y, z):
        return z > nape + (front - nape) * np.clip((y + 0.09) / 0.16, 0, 1.15)

    cap_of_hair = ((0, -0.006, 0.006), _SKULL + thick, HAIR, hairline)
    if style in ("short", "crop", "long", "bob", "tail", "bun"):
        ball(*cap_of_hair)
    if style in ("long", "bob"):
        length = rng.uniform(0.16, 0.24) if style == "long" else rng.uniform(0.1, 0.13)
        ball((0, -0.045, -0.1 if style == "long" else -0.05), (0.1, 0.07, length), HAIR)
        for side in (-1, 1):
            ball((side * 0.078, 0.005, -0.07), (0.026, 0.045, length * 0.8), HAIR)
    elif style == "tail":
        ball((0, -0.125, -0.04), (0.032, 0.04, 0.115), HAIR)
    elif style == "bun":
        ball((0, -0.09, 0.085), (0.045, 0.045, 0.04), HAIR)
    elif style == "ring":
        ball((0, -0.005, 0.0), _SKULL + 0.008, HAIR, lambda x, y, z: (z < 0.045) & hairline(x, y + 0.02, z))
    else:
        _add_headwear(ball, rng, style, hairline)


def _add_headwear(ball: Callable, rng: np.random.Generator, style: str, hairline: Callable) -> None:
    if style == "cap":
        ball((0, -0.006, 0.0), _SKULL + 0.010, HAIR, hairline)
        ball((0, -0.002, 0.012), _SKULL + 0.017, HAT, lambda x, y, z: z > 0.022)
        facing = 1 if rng.random() < 0.85 else -1
        ball((0, facing * 0.115, 0.035), (0.074, 0.072, 0.012), HAT)
    elif style == "sunhat":
        ball((0, 0, 0.03), _SKULL + 0.018, HAT, lambda x, y, z: z > 0.0)
        brim = rng.uniform(0.15, 0.2)
        ball((0, 0, 0.035), (brim, brim, 0.018), HAT)
        ball((0, -0.006, 0.0), _SKULL + 0.010, HAIR, hairline)
    elif style == "beanie":
        ball((0, -0.006, 0.0), _SKULL + 0.010, HAIR, hairline)
        ball((0, -0.004, 0.014), _SKULL + (0.018, 0.018, 0.03), HAT, lambda x, y, z: z > -0.005 + 0.25 * y)
    elif style == "scarf":

        def opening(x, y, z):
            return ~((y > 0.03) & (np.abs(x) < 0.058) & (z > -0.095) & (z < 0.062))

        ball((0, -0.004, 0.0), _SKULL + 0.02, HAT, opening)
        ball((0, -0.02, -0.14), (0.1, 0.095, 0.1), HAT, head=False)


def _draw_face(material, head, tone, body: _Body, place: np.ndarray) -> None:
    """Darken eyes, brows, mouth, chin and neck, in place; all (n,), `place` (n, 3) relative to the head."""
    bare = material == SKIN
    tone[bare & ~head & (place[:, 2] > -0.3)] *= 0.78
    face = np.flatnonzero(head & bare)
    cos, sin = np.cos(body.turn), np.sin(body.turn)
    x, y, z = place[face].T
    x, y = x * cos - y * sin, x * sin + y * cos
    side = np.abs(x)

    def spot(dx, dz, strength):
        return 1 - strength * np.exp(-(dx**2) - dz**2)

    dark = spot((side - 0.031) / 0.013, (z - 0.006) / 0.008, 0.62)
    dark *= spot((side - 0.032) / 0.019, (z - 0.029) / 0.006, 0.45)
    dark *= spot(x / 0.024, (z + 0.062) / 0.007, 0.38)
    dark *= spot(x / 0.012, (z + 0.033) / 0.006, 0.22)
    dark *= spot(x / 0.05, (z + 0.125) / 0.02, 0.3)
    if body.beard:
        dark = np.where((z < -0.045) & (y > 0), 0.55 * dark, dark)
    tone[face] *= np.where(y > 0.025, dark, 1)
    if body.glasses < 0.2:
        lens = ((side - 0.032) / 0.026) ** 2 + ((z - 0.006) / 0.018) ** 2
        worn = (y > 0.025) & (lens < 1) & ((lens > 0.55) | (body.glasses < 0.1))
        material[face[worn]] = DARK


def _add_arm(parts: Parts, rng, side, shoulder, width, sleeve, pose, swing, thick) -> np.ndarray:
    """Add an arm and say where its hand is; `side` is -1 or 1, `swing` how far forward the elbow is."""
    shoulder = shoulder + np.array([side * width, 0, 0], np.float32)
    out = side * rng.uniform(0.02, 0.07)
    if pose == "raised":
        elbow, wrist = (side * 0.1, 0.08, 0.16), (side * rng.uniform(-0.02, 0.1), 0.12, 0.43)
    elif pose == "front":
        elbow, wrist = (out, 0.03, -0.27), (-side * 0.1, 0.24, rng.uniform(-0.22, -0.1))
    elif pose == "crossed":
        elbow, wrist = (out, 0.06, -0.25), (-side * 0.3, 0.15, -0.22)
    elif pose == "hip":
        elbow, wrist = (side * 0.16, -0.08, -0.24), (-side * 0.02, 0.06, -0.42)
    else:
        elbow, wrist = (out, swing - 0.02, -0.28), (out * 1.1, 1.9 * swing + 0.05, -0.52)
    elbow, wrist = shoulder + np.array(elbow, np.float32), shoulder + np.array(wrist, np.float32)
    if sleeve == "long":
        parts.limb(shoulder, elbow, 0.058 * thick, 0.048 * thick, TOP)
        parts.limb(elbow, wrist, 0.048 * thick, 0.038 * thick, TOP)
    else:
        parts.limb(shoulder, elbow, 0.047, 0.038, SKIN)
        parts.limb(elbow, wrist, 0.037, 0.027, SKIN)
        if sleeve == "short":
            parts.limb(shoulder, shoulder + 0.62 * (elbow - shoulder), 0.063 * thick, 0.06 * thick, TOP)
    hand = wrist + (wrist - elbow) / np.linalg.norm(wrist - elbow) * 0.06
    parts.ellipsoid(hand, (0.033, 0.038, 0.045), SKIN)
    return hand


@dataclass(frozen=True, eq=False)
class _Body:
    """A person, whichever way it is looked at.

    Attributes:
        parts: what it is put together from.
        material: uint8, the material of each part.
        head: bool, whether each part belongs to the head.
        center: center of the head.
        turn: radians that the head is turned to the side.
        lift: meters that a seated person is off the height of one who stands.
        beard: whether there is one.
        glasses: chance that decides on glasses: frames below 0.2, dark ones below 0.1.
        pattern: of the clothes above.
        stripes: number of stripes per meter.
    """

    parts: Parts
    material: np.ndarray
    head: np.ndarray
    center: np.ndarray
    turn: float
    lift: float
    beard: bool
    glasses: float
    pattern: str
    stripes: float


def _add_legs(
    parts: Parts, rng: np.random.Generator, seated: bool, build: float, lift: float, stride: float, bottom: str
) -> None:
    """Legs, feet and what covers them."""
    for side in (-1, 1):
        swing = stride * side
        hip = np.array([side * 0.085, 0, 0.9 + lift], np.float32)
        if seated:
            knee, ankle = (
                hip + np.array([side * 0.03, 0.42, 0.02], np.float32),
                hip + np.array([side * 0.03, 0.44, -0.42], np.float32),
            )
        else:
            knee = np.array([side * 0.095, swing * 0.8 + 0.03, 0.49], np.float32)
            ankle = np.array([side * rng.uniform(0.085, 0.13), swing * 1.5, 0.09], np.float32)
        cover = BOTTOM if bottom == "trousers" else SKIN
        slack = 1.15 if bottom == "trousers" else 0.95
        parts.limb(hip, knee, 0.085 * build, 0.06 * slack, BOTTOM if bottom != "skirt" else SKIN)
        parts.limb(knee, ankle, 0.058 * slack, 0.043 * slack**2, cover)
        if bottom == "shorts":
            parts.limb(hip, hip + 0.85 * (knee - hip), 0.1 * build, 0.09 * build, BOTTOM)
        parts.ellipsoid(ankle + np.array([side * 0.01, 0.06, -0.05], np.float32), (0.045, 0.125, 0.042), SHOES)
    if bottom == "skirt" and not seated:
        hem, flare = rng.uniform(0.4, 0.62), rng.uniform(0.17, 0.24)
        parts.ellipsoid((0, 0, hem), (flare, flare * 0.85, 1.12 - hem), BOTTOM, keep=lambda x, y, z: z > 0)


@lru_cache(maxsize=2 * SHAPES)
def _body(shape: int, seated: bool) -> _Body:
    rng = np.random.default_rng([shape, 1800])
    parts = Parts()
    woman = rng.random() < 0.45
    build = rng.uniform(0.9, 1.12)
    lift = -SEATED_DROP if seated else 0.0
    stride = 0.0 if seated or rng.random() < 0.4 else rng.uniform(0.05, 0.15) * rng.choice([-1, 1])
    sleeve = rng.choice(["short", "long", "none"], p=[0.5, 0.44, 0.06])
    bottom = rng.choice(["trousers", "shorts", "skirt"], p=[0.55, 0.2, 0.25] if woman else [0.8, 0.19, 0.01])
    thick = rng.uniform(1.0, 1.25) if sleeve == "long" else 1.0
    shoulders = (0.148 if woman else 0.172) * build

    _add_legs(parts, rng, seated, build, lift, stride, bottom)

    # Trunk.
    parts.ellipsoid((0, -0.01, 0.93 + lift), (0.165 * build, 0.125 * build, 0.14), BOTTOM)
    parts.ellipsoid((0, 0.01, 1.07 + lift), (0.15 * build * thick, 0.115 * build, 0.2), TOP)
    parts.ellipsoid((0, 0.0, 1.24 + lift), (0.165 * build * thick, 0.118 * build, 0.23), TOP)
    parts.limb((-shoulders, -0.015, 1.375 + lift), (shoulders, -0.015, 1.375 + lift), 0.06, 0.06, TOP)
    for side in (-1, 1):
        parts.limb((side * 0.035, -0.02, 1.45 + lift), (side * shoulders, -0.015, 1.38 + lift), 0.05, 0.06, TOP)
    if woman:
        parts.ellipsoid((0, 0.07, 1.27 + lift), (0.125, 0.075, 0.075), TOP)
    if sleeve == "long" and rng.random() < 0.4:  # a coat reaches over the hips
        parts.ellipsoid((0, 0, 0.95 + lift), (0.19 * build, 0.14 * build, 0.2), TOP)

    # Arms, each in a pose of its own.
    pose = rng.choice(["hang", "front", "crossed", "hip", "raised"], p=[0.6, 0.22, 0.08, 0.07, 0.03])
    other = pose if pose == "crossed" else rng.choice(["hang", "front", "hip", "raised"], p=[0.71, 0.21, 0.05, 0.03])
    top_of_arm = np.array([0, -0.01, 1.37 + lift], np.float32)
    hand = _add_arm(parts, rng, -1, top_of_arm, shoulders, sleeve, pose, -stride * 0.7, thick)
    _add_arm(parts, rng, 1, top_of_arm, shoulders, sleeve, other, stride * 0.7, thick)
    if pose == "front" and rng.random() < 0.5:
        parts.ellipsoid(hand + np.array([0, 0.04, 0.03], np.float32), (0.04, 0.01, 0.075), DARK)

    # Bags.
    bag = rng.choice(["none", "back", "side", "hand"], p=[0.55, 0.2, 0.15, 0.1])
    if bag == "back":
        parts.ellipsoid((0, -0.19, 1.2 + lift), (0.15, 0.11, 0.23), BAG)
        for side in (-1, 1):
            parts.limb((side * 0.1, 0.1, 1.2 + lift), (side * 0.1, 0.03, 1.44 + lift), 0.022, 0.022, BAG)
    elif bag == "side" and not seated:
        parts.ellipsoid((shoulders + 0.05, 0.03, 0.92), (0.06, 0.14, 0.12), BAG)
        parts.limb((shoulders, 0.06, 1.0), (-0.09, 0.07, 1.43), 0.016, 0.016, BAG)
    elif bag == "hand" and not seated and pose == "hang":
        parts.ellipsoid(hand + np.array([0, 0, -0.2], np.float32), (0.07, 0.13, 0.16), BAG)

    turn = float(np.clip(rng.normal(0, 0.4), -1, 1))
    center = np.array([rng.normal(0, 0.01), 0.03 + abs(rng.normal(0, 0.02)), HEAD_HEIGHT + lift], np.float32)
    _add_head(parts, rng, center, turn)
    beard, glasses = rng.random() < 0.12, rng.random()
    pattern = rng.choice(
        ["plain", "stripes", "checks", "print", "open", "blocks"], p=[0.58, 0.07, 0.03, 0.14, 0.13, 0.05]
    )
    return _Body(
        parts,
        np.array([part.material for part in parts], np.uint8),
        np.array([part.head for part in parts]),
        center,
        turn,
        lift,
        beard,
        glasses,
        pattern,
        rng.uniform(9, 16),
    )


@lru_cache(maxsize=500)
def render_figure(
    shape: int, yaw_step: int, elevation_step: int, scale: int, seated: bool = False, mirrored: bool = False
) -> Figure:
    """Render body number `shape` (0 to SHAPES - 1).

    Args:
        shape: which build, posture, cut of the clothes and hair.
        yaw_step: way the person faces, in steps of 22.5 degrees; 0 is toward the camera, 8 away from it.
        elevation_step: how far above the horizontal the camera is, in steps of ELEVATION_STEP degrees.
        scale: pixels per meter; 28 is half of 56.
        seated: sit on a seat instead of standing.
        mirrored: left and right exchanged, in the picture.
    """
    if mirrored:
        # All arguments, in their order: the cache tells calls apart by how they are written.
        twin = render_figure(shape, yaw_step, elevation_step, scale, seated, False)
        turned = twin.normal * np.array([-1, 1, 1], np.float32)
        material, normal, tone, kind = (
            np.ascontiguousarray(array[:, ::-1]) for array in (twin.material, turned, twin.tone, twin.kind)
        )
        return Figure(material, normal, tone, kind, kind.shape[1] - twin.head_x, twin.head_y, scale)
    if scale < 56:  # every second pixel of the figure of twice the scale is what rendering it small would give
        twin = render_figure(shape, yaw_step, elevation_step, 2 * scale, seated, False)
        material, normal, tone, kind = (
            np.ascontiguousarray(array[1::2, 1::2]) for array in (twin.material, twin.normal, twin.tone, twin.kind)
        )
        return Figure(material, normal, tone, kind, (twin.head_x - 0.5) / 2, (twin.head_y - 0.5) / 2, scale)
    body = _body(shape, seated)
    canvas = Canvas(np.deg2rad(22.5) * yaw_step, np.deg2rad(ELEVATION_STEP) * elevation_step, scale)
    at, depth, normal, part = canvas.draw(body.parts)
    rows, columns = np.divmod(at, canvas.width)
    # An empty rim, so that shrinking finds something to smooth the outline with.
    top, bottom = max(int(rows[0]) - 2, 0), min(int(rows[-1]) + 3, canvas.height)
    left, right = max(int(columns.min()) - 2, 0), min(int(columns.max()) + 3, canvas.width)
    high, wide = bottom - top, right - left
    inside = (rows - top) * wide + columns - left

    def spread(values: np.ndarray) -> np.ndarray:
        whole = np.zeros((high * wide, *values.shape[1:]), values.dtype)
        whole[inside] = values
        return whole.reshape(high, wide, *values.shape[1:])

    # A little smoothing of the directions, not of the outline, hides the seams between the parts.
    smooth = gaussian_filter(spread(normal), (0.011 * scale, 0.011 * scale, 0), truncate=2.5)
    normal = smooth.reshape(-1, 3)[inside]
    # Face, patterns, folds and strands, by where each point lies on the body.
    material, head = body.material[part], body.head[part]
    place = np.stack([canvas.u[columns], canvas.v[rows], depth], -1) @ canvas.view
    tone = np.ones(len(at), np.float32)
    _draw_face(material, head, tone, body, place - body.center)
    x, y, z = place[:, 0], place[:, 1], place[:, 2] - np.float32(body.lift)
    trunk = (material == TOP) & (z > 0.75)
    if body.pattern == "stripes":
        trim = (z * body.stripes) % 1 < 0.45
    elif body.pattern == "checks":
        trim = ((z * 11) % 1 < 0.4) ^ ((x * 11) % 1 < 0.4)
    elif body.pattern == "print":
        blotch = noise_tile(13, falloff=1.2)[(z * 150).astype(int) % 256, (x * 150).astype(int) % 256]
        trim = ((x / 0.1) ** 2 + ((z - 1.24) / 0.1) ** 2 < 1) & (y > 0) & (blotch > -0.3)
    elif body.pattern == "open":
        trim = (np.abs(x) < 0.045 + 0.06 * np.clip(z - 1.05, 0, 1)) & (y > 0)
    elif body.pattern == "blocks":
        trim = z > 1.28
    else:
        trim = np.zeros_like(trunk)
    material[trunk & trim] = TRIM

    ripple = noise_tile(11, falloff=1.9)
    cloth = np.flatnonzero(_CLOTH[material])
    i = (place[cloth, 2] * 80 + shape * 37).astype(np.int64) & 255
    j = ((place[cloth, 0] + place[cloth, 1]) * 130 + shape * 91).astype(np.int64) & 255
    fold = ripple[i, j]
    tone[cloth] *= 1 + 0.04 * fold
    normal[cloth, 1] += 0.9 * (ripple[(i + 2) & 255, j] - fold)
    normal[cloth, 0] += 0.9 * (ripple[i, (j + 2) & 255] - fold)
    hair = np.flatnonzero(material == HAIR)
    strands = noise_tile(12, falloff=0.6)[
        (place[hair, 2] * 60).astype(np.int64) & 255,
        ((place[hair, 0] - place[hair, 1]) * 300 + 17 * shape).astype(np.int64) & 255,
    ]
    tone[hair] *= 1 + 0.28 * strands
    normal /= np.sqrt(np.einsum("ni,ni->n", normal, normal))[:, None] + 1e-9

    head_x, head_y = canvas.pixel(body.center)
    return Figure(
        spread(material),
        spread(normal),
        spread(np.maximum(tone, 0.05)),
        spread(1 + head.astype(np.uint8)),
        head_x - left,
        head_y - top,
        scale,
    )


_SKINS = np.array(
    [
        (228, 186, 158),
        (220, 174, 142),
        (212, 166, 128),
        (205, 158, 120),
        (184, 135, 98),
        (150, 103, 72),
        (112, 74, 52),
        (80, 54, 40),
    ],
    np.float32,
)
_SKIN_SHARES = [0.14, 0.2, 0.22, 0.16, 0.1, 0.08, 0.06, 0.04]
_HAIRS = np.array(
    [
        (22, 18, 18),
        (34, 26, 24),
        (52, 37, 28),
        (84, 57, 38),
        (130, 92, 54),
        (190, 156, 104),
        (150, 146, 142),
        (110, 48, 28),
    ],
    np.float32,
)
_HAIR_SHARES = [0.4, 0.24, 0.14, 0.08, 0.035, 0.03, 0.065, 0.01]
_CLOTHES = np.array(
    [
        (28, 28, 32),
        (236, 236, 232),
        (38, 46, 78),
        (128, 130, 134),
        (76, 80, 88),
        (190, 190, 190),
        (70, 98, 140),
        (178, 40, 44),
        (92, 34, 44),
        (222, 206, 178),
        (150, 122, 92),
        (66, 84, 62),
        (44, 120, 96),
        (232, 190, 60),
        (226, 120, 50),
        (226, 140, 160),
        (120, 80, 140),
        (120, 176, 214),
        (52, 110, 190),
        (90, 70, 56),
    ],
    np.float32,
)
_CLOTHES_SHARES = np.array([17, 15, 10, 8, 6, 4, 5, 6, 3, 4, 3, 3, 2, 2, 2, 3, 2, 4, 4, 3], float)
_LEGS = np.array(
    [
        (34, 34, 40),
        (52, 66, 98),
        (84, 104, 138),
        (60, 60, 64),
        (150, 132, 104),
        (196, 184, 164),
        (112, 112, 112),
    ],
    np.float32,
)
_LEGS_SHARES = [0.32, 0.22, 0.14, 0.1, 0.1, 0.06, 0.06]


def wardrobe(rng: np.random.Generator, people: int, team: np.ndarray | None) -> np.ndarray:
    """Colors of each person's materials.

    Args:
        rng: source of chance.
        people: number of persons.
        team: color (3,) that three in five wear as top, hat or both; None: each as they like.

    Returns:
        float32 (people, MATERIALS, 3), RGB 0..255, indexed by SKIN, HAIR, ...
    """
    shares = _CLOTHES_SHARES / _CLOTHES_SHARES.sum()
    colors = np.zeros((people, MATERIALS, 3), np.float32)
    colors[:, SKIN] = _SKINS[rng.choice(len(_SKINS), people, p=_SKIN_SHARES)]
    colors[:, HAIR] = _HAIRS[rng.choice(len(_HAIRS), people, p=_HAIR_SHARES)]
    for material in (HAT, TOP, TRIM, BAG):
        colors[:, material] = _CLOTHES[rng.choice(len(_CLOTHES), people, p=shares)]
    colors[:, BOTTOM] = _LEGS[rng.choice(len(_LEGS), people, p=_LEGS_SHARES)]
    dress = rng.random(people) < 0.15
    colors[dress, BOTTOM] = colors[dress, TOP]
    colors[:, SHOES] = np.where(rng.random((people, 1)) < 0.35, 225, 45)
    colors[:, DARK] = 25
    if team is not None:
        for material, share in ((TOP, 0.6), (HAT, 0.5)):
            fans = rng.random(people) < share
            colors[fans, material] = team
    colors *= rng.normal(1, 0.07, (people, MATERIALS, 1)) * rng.normal(1, 0.04, (people, MATERIALS, 3))
    return np.clip(colors, 6, 248).astype(np.float32)
