"""People for drawn crowds: solid figures of ellipsoids and tapered limbs, seen from any side and height.

A figure is rendered once as a `Figure`: which material each pixel shows and which way the surface faces.
Light and colors are put on afterwards, so one figure serves many people of one scene, each in their own
clothes and skin.

Lengths are in meters in a frame of the person: x to the side, y forward, z up, the origin on the ground
between the feet. An adult here is 1.72 m tall with the center of the head at 1.60 m.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

SKIN, HAIR, HAT, TOP, TRIM, BOTTOM, SHOES, BAG, DARK = range(1, 10)
MATERIALS = 10
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


class _Canvas:
    """Depth buffer that ellipsoids and limbs are put into, without perspective."""

    def __init__(self, yaw: float, elevation: float, scale: float):
        self.view = _view(yaw, elevation)
        self.yaw, self.elevation = yaw, elevation
        self.scale = scale
        # Enough for a raised arm above and for feet below, whatever the elevation.
        self.height, self.width = int(2.5 * scale), int(1.5 * scale)
        self.x0, self.y0 = 0.75, float(2.05 * np.cos(elevation) + 0.25)
        self.u = ((np.arange(self.width, dtype=np.float32) + 0.5) / scale - self.x0)[None, :]
        self.v = (self.y0 - (np.arange(self.height, dtype=np.float32) + 0.5) / scale)[:, None]
        # A pixel: depth, normal (3), material, 1 on the head. One array, because small writes are what costs.
        self.pixels = np.zeros((self.height * self.width, 6), np.float32)
        self.pixels[:, 0] = -np.inf
        self.turned = {0.0: self.view}

    def pixel(self, point) -> tuple[float, float]:
        """Column and row (fractional) of a point."""
        u, v, _ = self.view @ np.asarray(point, np.float32)
        return (u + self.x0) * self.scale, (self.y0 - v) * self.scale

    def _window(self, u0, u1, v0, v1):
        left, right = (
            max(int((u0 + self.x0) * self.scale), 0),
            min(int((u1 + self.x0) * self.scale) + 2, self.width),
        )
        top, bottom = (
            max(int((self.y0 - v1) * self.scale), 0),
            min(int((self.y0 - v0) * self.scale) + 2, self.height),
        )
        return top * self.width + left, self.u[0, left:right], self.v[top:bottom, 0]

    def _put(self, at, depth, normal, material, head):
        values = np.empty((len(at), 6), np.float32)
        values[:, 0], values[:, 1:4], values[:, 4], values[:, 5] = depth, normal, material, head
        self.pixels[at] = values

    def ellipsoid(self, center, radii, material, *, turn=0.0, keep=None, head=False):
        """`turn` rotates it about the vertical; `keep(x, y, z)` says which of its surface points exist."""
        radii = np.asarray(radii, np.float32)
        cu, cv, cd = (self.view @ np.asarray(center, np.float32)).tolist()
        if turn not in self.turned:
            self.turned[turn] = _view(self.yaw + turn, self.elevation)
        view = self.turned[turn]
        # In units of the radii it is a unit sphere: |p + t c| = 1, the solution nearer to the camera.
        side, up, toward = view / radii
        reach_u, reach_v = np.sqrt(((view[:2] * radii) ** 2).sum(1)).tolist()
        corner, u, v = self._window(cu - reach_u, cu + reach_u, cv - reach_v, cv + reach_v)
        if not (u.size and v.size):
            return
        u, v = u - np.float32(cu), v - np.float32(cv)
        a, m, n = float(toward @ toward), float(side @ toward), float(up @ toward)
        # b = m u + n v and c = |u side + v up|^2 - 1; a line through the pixel meets it where b b - a c > 0.
        inside = np.multiply.outer(v * np.float32(2 * (m * n - a * float(side @ up))), u)
        inside += u * u * np.float32(m * m - a * float(side @ side))
        inside += (v * v * np.float32(n * n - a * float(up @ up)) + np.float32(a))[:, None]
        hit = np.flatnonzero(inside > 0)
        rows, columns = np.divmod(hit, len(u))
        u, v = u[columns], v[rows]
        t = (np.sqrt(inside.ravel()[hit]) - (m * u + n * v)) / np.float32(a)
        at = corner + rows * self.width + columns
        nearer = np.flatnonzero(t + np.float32(cd) > self.pixels[at, 0])
        at, seen = at[nearer], np.stack([u[nearer], v[nearer], t[nearer]], 1)
        place = seen @ view
        if keep is not None:
            there = keep(*place.T)
            at, seen, place = at[there], seen[there], place[there]
        normal = place @ (view / radii**2).T
        normal /= np.sqrt(np.einsum("ni,ni->n", normal, normal))[:, None]
        self._put(at, seen[:, 2] + np.float32(cd), normal, material, head)

    def limb(self, start, end, radius, end_radius, material, *, head=False):
        """A rod with round ends whose radius goes from `radius` to `end_radius`."""
        u0, v0, d0 = (self.view @ np.asarray(start, np.float32)).tolist()
        u1, v1, d1 = (self.view @ np.asarray(end, np.float32)).tolist()
        reach = max(radius, end_radius)
        corner, u, v = self._window(
            min(u0, u1) - reach, max(u0, u1) + reach, min(v0, v1) - reach, max(v0, v1) + reach
        )
        if not (u.size and v.size):
            return
        du, dv = u1 - u0, v1 - v0
        length = max(du * du + dv * dv, 1e-6)
        u, v = u - np.float32(u0), v - np.float32(v0)
        along = np.add.outer(v * np.float32(dv / length), u * np.float32(du / length))
        np.clip(along, 0, 1, out=along)
        off_u, off_v = u - along * np.float32(du), v[:, None] - along * np.float32(dv)
        r = radius + along * np.float32(end_radius - radius)
        high = r * r - off_u * off_u - off_v * off_v
        hit = np.flatnonzero(high > 0)
        rise, along = np.sqrt(high.ravel()[hit]), along.ravel()[hit]
        depth = d0 + along * np.float32(d1 - d0) + rise
        rows, columns = np.divmod(hit, len(u))
        at = corner + rows * self.width + columns
        nearer = np.flatnonzero(depth > self.pixels[at, 0])
        hit = hit[nearer]
        normal = np.stack([off_u.ravel()[hit], off_v.ravel()[hit], rise[nearer]], -1)
        normal /= r.ravel()[hit][:, None]
        self._put(at[nearer], depth[nearer], normal, material, head)


def _draw_head(canvas: _Canvas, rng: np.random.Generator, center: np.ndarray, turn: float) -> None:
    style = rng.choice(
        ["short", "crop", "long", "bob", "tail", "bun", "bald", "ring", "cap", "sunhat", "beanie", "scarf"],
        p=[0.33, 0.13, 0.15, 0.09, 0.09, 0.03, 0.02, 0.02, 0.07, 0.01, 0.04, 0.02],
    )
    cos, sin = np.cos(turn), np.sin(turn)

    def at(x, y, z):  # a place on the turned head
        return center + np.array([x * cos + y * sin, -x * sin + y * cos, z], np.float32)

    def ball(place, radii, material, keep=None, head=True):
        canvas.ellipsoid(at(*place), radii, material, turn=turn, keep=keep, head=head)

    canvas.limb(at(0, -0.015, -0.08), at(0, -0.03, -0.2), 0.052, 0.062, SKIN)
    ball((0, 0, 0), _SKULL, SKIN)
    ball((0, 0.028, -0.062), (0.056, 0.062, 0.062), SKIN)  # jaw
    ball((0, 0.094, -0.012), (0.014, 0.022, 0.026), SKIN)  # nose
    for side in (-1, 1):
        ball((side * 0.077, -0.008, -0.006), (0.012, 0.02, 0.03), SKIN)
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
    elif style == "cap":
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


def _draw_face(material, head, tone, rng: np.random.Generator, place: np.ndarray, turn: float) -> None:
    """Darken eyes, brows, mouth, chin and neck, in place; all (n,), `place` (n, 3) is relative to the head."""
    bare = material == SKIN
    tone[bare & ~head & (place[:, 2] > -0.3)] *= 0.78
    beard, glasses = rng.random() < 0.12, rng.random()
    face = np.flatnonzero(head & bare)
    cos, sin = np.cos(turn), np.sin(turn)
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
    if beard:
        dark = np.where((z < -0.045) & (y > 0), 0.55 * dark, dark)
    tone[face] *= np.where(y > 0.025, dark, 1)
    if glasses < 0.2:
        lens = ((side - 0.032) / 0.026) ** 2 + ((z - 0.006) / 0.018) ** 2
        worn = (y > 0.025) & (lens < 1) & ((lens > 0.55) | (glasses < 0.1))
        material[face[worn]] = DARK


def _arm(canvas: _Canvas, rng, side, shoulder, width, sleeve, pose, swing, thick) -> np.ndarray:
    """Draw an arm and say where its hand is; `side` is -1 or 1, `swing` how far forward the elbow is."""
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
    elbow, wrist = shoulder + np.float32(elbow), shoulder + np.float32(wrist)
    if sleeve == "long":
        canvas.limb(shoulder, elbow, 0.058 * thick, 0.048 * thick, TOP)
        canvas.limb(elbow, wrist, 0.048 * thick, 0.038 * thick, TOP)
    else:
        canvas.limb(shoulder, elbow, 0.047, 0.038, SKIN)
        canvas.limb(elbow, wrist, 0.037, 0.027, SKIN)
        if sleeve == "short":
            canvas.limb(shoulder, shoulder + 0.62 * (elbow - shoulder), 0.063 * thick, 0.06 * thick, TOP)
    hand = wrist + (wrist - elbow) / np.linalg.norm(wrist - elbow) * 0.06
    canvas.ellipsoid(hand, (0.033, 0.038, 0.045), SKIN)
    return hand


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
        normal = twin.normal * np.float32([-1, 1, 1])
        flipped = (np.ascontiguousarray(array[:, ::-1]) for array in (twin.material, normal, twin.tone))
        kind = np.ascontiguousarray(twin.kind[:, ::-1])
        return Figure(*flipped, kind, kind.shape[1] - twin.head_x, twin.head_y, scale)
    if scale < 56:  # every second pixel of the figure of twice the scale is what rendering it small would give
        twin = render_figure(shape, yaw_step, elevation_step, 2 * scale, seated, False)
        parts = (
            np.ascontiguousarray(part[1::2, 1::2]) for part in (twin.material, twin.normal, twin.tone, twin.kind)
        )
        return Figure(*parts, (twin.head_x - 0.5) / 2, (twin.head_y - 0.5) / 2, scale)
    rng = np.random.default_rng([shape, 1800])
    canvas = _Canvas(np.deg2rad(22.5) * yaw_step, np.deg2rad(ELEVATION_STEP) * elevation_step, scale)
    woman = rng.random() < 0.45
    build = rng.uniform(0.9, 1.12)
    lift = -SEATED_DROP if seated else 0.0
    stride = 0.0 if seated or rng.random() < 0.4 else rng.uniform(0.05, 0.15) * rng.choice([-1, 1])
    sleeve = rng.choice(["short", "long", "none"], p=[0.5, 0.44, 0.06])
    bottom = rng.choice(["trousers", "shorts", "skirt"], p=[0.55, 0.2, 0.25] if woman else [0.8, 0.19, 0.01])
    thick = rng.uniform(1.0, 1.25) if sleeve == "long" else 1.0
    shoulders = (0.148 if woman else 0.172) * build

    # Legs and feet.
    for side in (-1, 1):
        swing = stride * side
        hip = np.array([side * 0.085, 0, 0.9 + lift], np.float32)
        if seated:
            knee, ankle = (
                hip + np.float32([side * 0.03, 0.42, 0.02]),
                hip + np.float32([side * 0.03, 0.44, -0.42]),
            )
        else:
            knee = np.array([side * 0.095, swing * 0.8 + 0.03, 0.49], np.float32)
            ankle = np.array([side * rng.uniform(0.085, 0.13), swing * 1.5, 0.09], np.float32)
        cover = BOTTOM if bottom == "trousers" else SKIN
        slack = 1.15 if bottom == "trousers" else 0.95
        canvas.limb(hip, knee, 0.085 * build, 0.06 * slack, BOTTOM if bottom != "skirt" else SKIN)
        canvas.limb(knee, ankle, 0.058 * slack, 0.043 * slack**2, cover)
        if bottom == "shorts":
            canvas.limb(hip, hip + 0.85 * (knee - hip), 0.1 * build, 0.09 * build, BOTTOM)
        canvas.ellipsoid(ankle + np.float32([side * 0.01, 0.06, -0.05]), (0.045, 0.125, 0.042), SHOES)
    if bottom == "skirt" and not seated:
        hem, flare = rng.uniform(0.4, 0.62), rng.uniform(0.17, 0.24)
        canvas.ellipsoid((0, 0, hem), (flare, flare * 0.85, 1.12 - hem), BOTTOM, keep=lambda x, y, z: z > 0)

    # Trunk.
    canvas.ellipsoid((0, -0.01, 0.93 + lift), (0.165 * build, 0.125 * build, 0.14), BOTTOM)
    canvas.ellipsoid((0, 0.01, 1.07 + lift), (0.15 * build * thick, 0.115 * build, 0.2), TOP)
    canvas.ellipsoid((0, 0.0, 1.24 + lift), (0.165 * build * thick, 0.118 * build, 0.23), TOP)
    canvas.limb((-shoulders, -0.015, 1.375 + lift), (shoulders, -0.015, 1.375 + lift), 0.06, 0.06, TOP)
    for side in (-1, 1):
        canvas.limb(
            (side * 0.035, -0.02, 1.45 + lift), (side * shoulders, -0.015, 1.38 + lift), 0.05, 0.06, TOP
        )
    if woman:
        canvas.ellipsoid((0, 0.07, 1.27 + lift), (0.125, 0.075, 0.075), TOP)
    if sleeve == "long" and rng.random() < 0.4:  # a coat reaches over the hips
        canvas.ellipsoid((0, 0, 0.95 + lift), (0.19 * build, 0.14 * build, 0.2), TOP)

    # Arms, each in a pose of its own.
    pose = rng.choice(["hang", "front", "crossed", "hip", "raised"], p=[0.6, 0.22, 0.08, 0.07, 0.03])
    other = (
        pose
        if pose == "crossed"
        else rng.choice(["hang", "front", "hip", "raised"], p=[0.71, 0.21, 0.05, 0.03])
    )
    top_of_arm = np.array([0, -0.01, 1.37 + lift], np.float32)
    hand = _arm(canvas, rng, -1, top_of_arm, shoulders, sleeve, pose, -stride * 0.7, thick)
    _arm(canvas, rng, 1, top_of_arm, shoulders, sleeve, other, stride * 0.7, thick)
    if pose == "front" and rng.random() < 0.5:
        canvas.ellipsoid(hand + np.float32([0, 0.04, 0.03]), (0.04, 0.01, 0.075), DARK)

    # Bags.
    bag = rng.choice(["none", "back", "side", "hand"], p=[0.55, 0.2, 0.15, 0.1])
    if bag == "back":
        canvas.ellipsoid((0, -0.19, 1.2 + lift), (0.15, 0.11, 0.23), BAG)
        for side in (-1, 1):
            canvas.limb((side * 0.1, 0.1, 1.2 + lift), (side * 0.1, 0.03, 1.44 + lift), 0.022, 0.022, BAG)
    elif bag == "side" and not seated:
        canvas.ellipsoid((shoulders + 0.05, 0.03, 0.92), (0.06, 0.14, 0.12), BAG)
        canvas.limb((shoulders, 0.06, 1.0), (-0.09, 0.07, 1.43), 0.016, 0.016, BAG)
    elif bag == "hand" and not seated and pose == "hang":
        canvas.ellipsoid(hand + np.float32([0, 0, -0.2]), (0.07, 0.13, 0.16), BAG)

    turn = float(np.clip(rng.normal(0, 0.4), -1, 1))
    center = np.array([rng.normal(0, 0.01), 0.03 + abs(rng.normal(0, 0.02)), HEAD_HEIGHT + lift], np.float32)
    _draw_head(canvas, rng, center, turn)

    # Face, patterns, folds and strands, by where each point lies on the body.
    pixels = canvas.pixels.reshape(canvas.height, canvas.width, 6)
    there = pixels[..., 4] > 0
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    # An empty rim, so that shrinking finds something to smooth the outline with.
    box = (slice(max(rows[0] - 2, 0), rows[-1] + 3), slice(max(columns[0] - 2, 0), columns[-1] + 3))
    high, wide = there[box].shape
    # A little smoothing of the directions, not of the outline, hides the seams between the parts.
    smooth = gaussian_filter(pixels[box][..., 1:4], (0.011 * scale, 0.011 * scale, 0), truncate=2.5)
    # From here on a list of the pixels that show something: most of the box is empty.
    inside = np.flatnonzero(there[box])
    rows, columns = np.divmod(inside, wide)
    body = canvas.pixels[(box[0].start + rows) * canvas.width + box[1].start + columns]
    material, head = body[:, 4].astype(np.uint8), body[:, 5] > 0
    normal = smooth.reshape(-1, 3)[inside]
    seen = np.stack([canvas.u[0, box[1]][columns], canvas.v[box[0], 0][rows], body[:, 0]], -1)
    place = seen @ canvas.view
    tone = np.ones(len(rows), np.float32)
    _draw_face(material, head, tone, rng, place - center, turn)
    x, y, z = place[:, 0], place[:, 1], place[:, 2] - np.float32(lift)
    pattern = rng.choice(
        ["plain", "stripes", "checks", "print", "open", "blocks"], p=[0.58, 0.07, 0.03, 0.14, 0.13, 0.05]
    )
    trunk = (material == TOP) & (z > 0.75)
    if pattern == "stripes":
        trim = (z * rng.uniform(9, 16)) % 1 < 0.45
    elif pattern == "checks":
        trim = ((z * 11) % 1 < 0.4) ^ ((x * 11) % 1 < 0.4)
    elif pattern == "print":
        blotch = noise_tile(13, falloff=1.2)[(z * 150).astype(int) % 256, (x * 150).astype(int) % 256]
        trim = ((x / 0.1) ** 2 + ((z - 1.24) / 0.1) ** 2 < 1) & (y > 0) & (blotch > -0.3)
    elif pattern == "open":
        trim = (np.abs(x) < 0.045 + 0.06 * np.clip(z - 1.05, 0, 1)) & (y > 0)
    elif pattern == "blocks":
        trim = z > 1.28
    else:
        trim = np.zeros_like(trunk)
    material[trunk & trim] = TRIM

    ripple = noise_tile(11, falloff=1.9)
    cloth = np.flatnonzero(np.isin(material, (TOP, TRIM, BOTTOM, BAG)))
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

    def spread(values: np.ndarray) -> np.ndarray:
        whole = np.zeros((high * wide, *values.shape[1:]), values.dtype)
        whole[inside] = values
        return whole.reshape(high, wide, *values.shape[1:])

    head_x, head_y = canvas.pixel(center)
    return Figure(
        spread(material),
        spread(normal),
        spread(np.maximum(tone, 0.05)),
        spread(1 + head.astype(np.uint8)),
        head_x - box[1].start,
        head_y - box[0].start,
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
