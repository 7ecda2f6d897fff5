"""The ground that a crowd stands on: a picture's points in meters, people per square meter, level of service."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from crowdcount.area.geometry import (
    Size,
    are_fractions,
    check_one_unit,
    finite_numbers,
    in_unit,
    on_copy,
    on_picture,
    shortened,
    signed_area,
)
from crowdcount.area.zone_files import LONGEST_SIDE, ZoneSource, read_json, stated_size, stated_unit
from crowdcount.area.zones import Zone
from crowdcount.errors import DataError

# Four points whose homography is worse conditioned than this turn a click one pixel beside into a wrong area.
_LEAST_SPREAD = 2e-3
# In meters, less than one person stands on: places in degrees of the earth span less, or in kilometers.
_LEAST_EXTENT = 0.5
# Square meters a pixel, on average between the points. Where heads are seen it is a fifth at most, in a flat view; a
# wide margin, since centimeters for meters make it ten thousand times as much.
_MOST_A_PIXEL = 4.0
# More than four points never agree exactly; apart by more than this share of their extent, one is mistyped.
_MOST_MISFIT = 0.05

_SQUARE_FOOT = 0.3048**2

SERVICE_LEVELS = {
    "standing": {
        "A": (13 * _SQUARE_FOOT, "free circulation"),
        "B": (10 * _SQUARE_FOOT, "restricted circulation"),
        "C": (7 * _SQUARE_FOOT, "personal comfort"),
        "D": (3 * _SQUARE_FOOT, "no touch"),
        "E": (2 * _SQUARE_FOOT, "touch"),
        "F": (0.0, "body ellipse"),
    },
    "walking": {
        "A": (35 * _SQUARE_FOOT, "free choice of speed"),
        "B": (25 * _SQUARE_FOOT, "normal speed, minor conflicts"),
        "C": (15 * _SQUARE_FOOT, "restricted speed and passing"),
        "D": (10 * _SQUARE_FOOT, "most people slowed"),
        "E": (5 * _SQUARE_FOOT, "all slowed, stoppages"),
        "F": (0.0, "shuffling, breakdown of flow"),
    },
}
"""Fruin's levels by use: letter -> (least square meters a person, meaning), see `level_of_service`."""


@dataclass(frozen=True, eq=False)
class Ground:
    """The plane that people stand on: where a picture's points lie on it, in meters.

    It is a homography: it holds for one position of the camera, flat ground and a lens without visible
    distortion. What is counted is heads, and a head appears higher in the picture than the ground below it:
    the smaller the zone and the flatter the view, the more people at its borders count for the neighbor.
    Make one with `from_points`.

    Args:
        matrix: float64 (3, 3), from homogeneous picture to homogeneous ground coordinates, positive in the
            third below the horizon.
        points: float64 (N, 4), the [x, y, X, Y] that it comes from.
        fractions: whether x and y are fractions of the picture's width and height rather than pixels.
        sure: whether somebody said so, rather than their values.
        drawn_on: (height, width) of the picture that x and y are pixels of; on a copy of it at another size they lie
            at the same places. None: they are of whatever picture they are used with.

    Reference:
        Hartley and Zisserman, Multiple View Geometry in Computer Vision, 2nd edition, 2004, section 4.1 and
        algorithm 4.2 (the normalized direct linear transformation).
    """

    matrix: np.ndarray
    points: np.ndarray
    fractions: bool
    sure: bool = False
    drawn_on: Size | None = None

    @classmethod
    def from_points(
        cls, points: Sequence | np.ndarray, *, fractions: bool | None = None, drawn_on: Size | None = None
    ) -> Ground:
        """Find the plane from four or more points on the ground with known positions.

        Args:
            points: rows [x, y, X, Y], shape (N, 4), N >= 4: x and y in the picture, X and Y on the ground in
                meters from any origin, along any two axes at a right angle. The four corners of a measured
                rectangle will do. Of more than four the best fit is taken.
            fractions: whether x and y are fractions of the picture's width and height rather than pixels;
                `None` means that they are if all lie in 0..1.
            drawn_on: (height, width) of the picture that x and y are pixels of, for copies at other sizes.

        Returns:
            The ground.

        Raises:
            DataError: if there are fewer than four points, numbers that are not finite, points (nearly) on
                one line, positions in the picture that are no fractions and in pixels span a few at most, some in
                pixels and others in fractions, or positions in the picture and on the ground that contradict each
                other.

        Example:
            >>> square = [[0, 0, 0, 0], [100, 0, 10, 0], [100, 100, 10, 10], [0, 100, 0, 10]]
            >>> ground = Ground.from_points(square)
            >>> round(ground.area(Zone("quarter", [[0, 0], [50, 0], [50, 50], [0, 50]])), 6)
            25.0
        """
        points = finite_numbers(points, 4, "The ground points", "[x, y, X, Y]")
        fractions = False if drawn_on is not None else fractions
        if len(points) < 4:
            raise DataError(f"The ground needs four points or more, each [x, y, X, Y]. Received: {len(points)} points")
        part, guessed = "The part of the picture with the ground points", fractions is None
        fractions = are_fractions(points[:, :2], fractions, part)
        if np.abs(points[:, :2]).max() > LONGEST_SIDE:
            x, y = points[np.abs(points[:, :2]).max(axis=1).argmax(), :2].tolist()
            raise DataError(f"A ground point lies outside of any picture. Received: x={x:g}, y={y:g}")
        if guessed and not fractions:
            check_one_unit(points[:, :2], part)
        for place, positions in (("in the picture", points[:, :2]), ("on the ground", points[:, 2:])):
            extents = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)
            if not extents[1] > _LEAST_SPREAD * extents[0]:
                raise DataError(
                    f"The ground points lie on one line {place}, or nearly so, and fix no plane. "
                    f"Choose four spread out in both directions. Received: {positions.tolist()}"
                )
        extent = np.ptp(points[:, 2:], axis=0).max()
        if extent < _LEAST_EXTENT:
            raise DataError(
                f"The ground points span {extent:.2g} m at most. Give meters, not kilometers or degrees of longitude "
                f"and latitude. Received: {points[:, 2:].tolist()}"
            )
        matrix, spread = _homography(points[:, :2], points[:, 2:])
        if not spread > _LEAST_SPREAD:
            raise DataError(
                "The ground points fix no plane: it takes four of which no three lie on one line, or nearly "
                f"so, neither in the picture nor on the ground. Received: {points.tolist()}"
            )
        depth = _homogeneous(points[:, :2]) @ matrix[2]
        if not (depth.min() > 0 or depth.max() < 0):
            raise DataError(
                "The ground points contradict each other: no camera sees these places in this order. Look "
                f"for two that are swapped, or for a mistyped one. Received: {points.tolist()}"
            )
        ground = cls(matrix / depth.mean(), points, fractions, sure=not guessed, drawn_on=drawn_on)
        misfit = np.linalg.norm(ground.to_meters(points[:, :2]) - points[:, 2:], axis=1)
        if misfit.max() > _MOST_MISFIT * np.ptp(points[:, 2:], axis=0).max():
            worst = int(misfit.argmax())
            off = float(format(misfit[worst], ".2g"))
            raise DataError(
                f"The ground points contradict each other: the best fit is {off:g} m off at "
                f"{points[worst].tolist()}. Check the coordinates."
            )
        points.flags.writeable = False
        return ground

    def to_meters(self, positions: Sequence | np.ndarray) -> np.ndarray:
        """Where points of the picture lie on the ground.

        Args:
            positions: [x, y] in the units of the ground's points, shape (N, 2).

        Returns:
            float64 (N, 2), [X, Y] in meters.

        Raises:
            DataError: if a point lies on or above the horizon.
        """
        positions = _homogeneous(np.asarray(positions, np.float64))
        depth = positions @ self.matrix[2]
        # The depth is 1 in the middle of the measured points and 0 at the horizon. A thousand times as far
        # away as they are, a pixel is wider than any crowd.
        if not (depth > 1e-3).all():
            x, y = positions[int(depth.argmin()), :2]
            raise DataError(
                f"The point x={x:g}, y={y:g} lies at or above the horizon of the ground points: there is no "
                "ground there to measure. Draw the zone further down, or check the ground points."
            )
        return (positions @ self.matrix[:2].T) / depth[:, np.newaxis]

    def measured(self) -> Zone:
        """The zone that the ground's points enclose, called `ground`: what lies between them is measured best.

        Example:
            >>> square = [[0, 0, 0, 0], [100, 0, 10, 0], [100, 100, 10, 10], [0, 100, 0, 10], [50, 50, 5, 5]]
            >>> ground = Ground.from_points(square)
            >>> round(ground.area(ground.measured()), 6)
            100.0
        """
        from scipy.spatial import ConvexHull

        seen = self.points[:, :2]
        return Zone("ground", seen[ConvexHull(seen).vertices], fractions=self.fractions, drawn_on=self.drawn_on)

    def drawn(self, size: Size) -> Ground:
        """The ground, to be put on copies of a picture at another size too: see `Zone.drawn`."""
        return self if self.fractions or self.drawn_on is not None else replace(self, fractions=False, drawn_on=size)

    def check_on(self, size: Size) -> None:
        """Find out whether the points lie on a picture.

        Args:
            size: (height, width) of the picture in pixels.

        Raises:
            DataError: if one lies outside it, they look like percent, are those of a picture of another shape, or put
                so many meters into a pixel that nobody could be seen.
        """
        own = self.drawn_on or size
        on_picture(self.points[:, :2], self.fractions, own, "A ground point", sure=self.sure)
        on_copy(self.points[:, :2], own, size, "The ground")
        zone = self.measured()
        area, pixels = abs(signed_area(self.to_meters(zone.polygon))), abs(signed_area(zone.pixels(size)))
        if area > _MOST_A_PIXEL * pixels:
            raise DataError(
                f"The ground points put {area / pixels:.2g} square meters into each pixel: no head could be seen. Each "
                "is [x, y, X, Y]: first its place in the picture, then that on the ground in meters, no smaller unit. "
                f"Received: {self.points.tolist()}"
            )

    def area(self, zone: Zone, size: Size | None = None) -> float:
        """The ground that a zone covers. Exact: a homography keeps straight lines straight.

        Args:
            zone: the zone.
            size: (height, width) of the picture in pixels; needed only where of zone and ground one is in
                pixels and the other in fractions, or one was drawn on a picture of a known size.

        Returns:
            Its area in square meters.

        Raises:
            DataError: if the zone reaches the horizon, zone or ground points lie outside the picture, or the
                size is missing.
        """
        rings = [zone.polygon, *zone.holes]
        if size is not None:
            self.check_on(size)
            rings = [zone.pixels(size), *zone.hole_pixels(size)]
            height, width = (1, 1) if self.fractions else self.drawn_on or size
            rings = [ring * (width / size[1], height / size[0]) for ring in rings]
        elif zone.fractions != self.fractions or zone.drawn_on is not None or self.drawn_on is not None:
            raise DataError(
                f"The zone {zone.name!r} and the ground are in pixels and in fractions, or may be in pixels of two "
                "pictures. Give the picture's size, (height, width)."
            )
        try:
            border, *holes = (abs(signed_area(self.to_meters(ring))) for ring in rings)
            return border - sum(holes)
        except DataError as error:
            raise DataError(f"The zone {zone.name!r} has no area on the ground. {error}") from error


def read_ground(source: ZoneSource | Ground, size: Size | None = None) -> Ground:
    """Read the ground plane from a JSON file, or from what such a file holds.

    The form is `{"points": [[x, y, X, Y], ...]}` with four points or more, see `Ground.from_points`. Beside them
    `"unit"` says what x and y are: "pixels", "fractions" or "percent"; without it their values tell. `"width"` and
    `"height"` are those of the picture that they are pixels of, as in a file of zones: then they hold for its copies.

    Args:
        source: path of a JSON file, its content, or a `Ground`.
        size: (height, width) of the picture, to find out now whether a point lies outside it.

    Returns:
        The ground.

    Raises:
        DataError: if the file cannot be read, or its points fix no plane or lie outside the picture.
    """
    if not isinstance(source, Ground):
        content, place = read_json(source, "ground points")
        if not isinstance(content, Mapping) or not isinstance(content.get("points"), list):
            raise DataError(
                f'{place} should hold {{"points": [[x, y, X, Y], ...]}}, with X and Y in meters. '
                f"Received {shortened(content)}"
            )
        size_drawn_on = stated_size(content, "width", "height", place)
        source = _ground_of(content["points"], stated_unit(content, place), size_drawn_on, place)
    if size is not None:
        source.check_on(size)
    return source


def _ground_of(points: list, unit: object, drawn_on: Size | None, place: str) -> Ground:
    unit = "pixels" if drawn_on is not None and unit is None else unit
    points, fractions = in_unit(points, unit, 4, place, "[x, y, X, Y]")
    return Ground.from_points(points, fractions=fractions, drawn_on=drawn_on if unit == "pixels" else None)


def people_per_square_meter(
    counts: Mapping[str, float], zones: Iterable[Zone], ground: Ground, size: Size
) -> dict[str, float]:
    """How dense the crowd is in each zone.

    Args:
        counts: zone's name -> people in it, as `count_zones` gives it.
        zones: the zones, in pixels or fractions.
        ground: the ground, in pixels or fractions.
        size: (height, width) of the picture in pixels.

    Returns:
        Zone's name -> people per square meter of ground.

    Raises:
        DataError: if a zone or a ground point lies outside the picture, or a zone reaches the horizon.
    """
    return {zone.name: counts[zone.name] / ground.area(zone, size) for zone in zones}


def level_of_service(per_m2: float, use: str = "standing") -> str:
    """Fruin's level of service, from A (room to move freely) to F (bodies touch, movement breaks down).

    Fruin gives square feet a person. For people who stand or queue A begins at 13, B at 10, C at 7, D at 3
    and E at 2 (1.21, 0.93, 0.65, 0.28 and 0.19 square meters: up to 0.83, 1.08, 1.54, 3.59 and 5.38 people
    per square meter); for people who walk at 35, 25, 15, 10 and 5 (3.25, 2.32, 1.39, 0.93 and 0.46 square
    meters: up to 0.31, 0.43, 0.72, 1.08 and 2.15 people per square meter). It is a measure of comfort in
    stations and corridors, not a verdict on safety. `SERVICE_LEVELS` holds the thresholds and their meanings.

    Args:
        per_m2: people per square meter, 0 or more.
        use: `"standing"` or `"walking"`.

    Returns:
        The letter.

    Raises:
        DataError: if the density is negative or NaN, or there is no such use.

    Reference:
        J. J. Fruin, Pedestrian Planning and Design, Metropolitan Association of Urban Designers and
        Environmental Planners, New York, 1971, chapter 4.

    Example:
        >>> level_of_service(2.0), level_of_service(2.0, "walking")
        ('D', 'E')
    """
    if use not in SERVICE_LEVELS:
        raise DataError(f"use should be one of {', '.join(SERVICE_LEVELS)}. Received: {use!r}")
    if not isinstance(per_m2, Real) or not per_m2 >= 0:
        raise DataError(f"people per square meter should be a number, 0 or more. Received: {per_m2!r}")
    room = 1 / per_m2 if per_m2 > 0 else math.inf
    return next(letter for letter, (least, _) in SERVICE_LEVELS[use].items() if room >= least)


def _homogeneous(positions: np.ndarray) -> np.ndarray:
    return np.column_stack([positions, np.ones(len(positions))])


def _homography(seen: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, float]:
    """The homography from (N, 2) to (N, 2), and how well the points fix it, from 0 (not at all) to 1."""
    from_seen, from_measured = _whitening(seen), _whitening(measured)
    p, q = _homogeneous(seen) @ from_seen.T, _homogeneous(measured) @ from_measured.T
    nothing = np.zeros_like(p)
    equations = np.vstack([np.hstack([p, nothing, -q[:, :1] * p]), np.hstack([nothing, p, -q[:, 1:2] * p])])
    _, values, solutions = np.linalg.svd(equations)
    matrix = solutions[-1].reshape(3, 3)
    own = np.linalg.svd(matrix, compute_uv=False)
    return np.linalg.inv(from_measured) @ matrix @ from_seen, min(values[7] / values[0], own[2] / own[0])


def _whitening(positions: np.ndarray) -> np.ndarray:
    """(3, 3) that gives positions mean 0 and unit covariance: a flat view is then as good as a square one."""
    middle = positions.mean(axis=0)
    _, extents, axes = np.linalg.svd(positions - middle, full_matrices=False)
    scale = np.sqrt(len(positions)) * axes / extents[:, np.newaxis]
    return np.block([[scale, -(scale @ middle)[:, np.newaxis]], [np.zeros((1, 2)), np.ones((1, 1))]])
