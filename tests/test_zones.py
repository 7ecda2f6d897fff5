"""Zones: exact shares, sums that agree, the ground in meters, and what a person can get wrong."""

import json
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from scipy.spatial import Delaunay
from skimage.draw import polygon2mask
from skimage.measure import points_in_poly

from crowdcount.area import drawing
from crowdcount.area.drawing import draw_zones
from crowdcount.area.ground import SERVICE_LEVELS, Ground, level_of_service, people_per_square_meter, read_ground
from crowdcount.area.zone_files import read_zones
from crowdcount.area.zones import Zone, count_zones, zone_mask, zone_shares
from crowdcount.errors import CrowdCountError, DataError

SQUARE_FOOT = 0.09290304
SQUARE = [[8, 8], [40, 8], [40, 40], [8, 40]]

sizes = st.tuples(st.integers(9, 70), st.integers(9, 70))


def star(rng, size, corners, grid=16):
    """A random simple polygon, usually concave, of corners at multiples of 1/16 pixel inside the picture."""
    height, width = size
    middle = rng.uniform(0.3, 0.7, 2) * (width, height)
    angles = 2 * np.pi * (np.arange(corners) + rng.uniform(0, 0.8, corners)) / corners
    direction = np.column_stack([np.cos(angles), np.sin(angles)])
    reach = np.where(direction > 0, np.array([width, height]) - middle, middle) / np.abs(direction)
    corners = middle + direction * (reach.min(axis=1) * rng.uniform(0.1, 1, corners))[:, np.newaxis]
    return np.round(corners * grid) / grid


def clipped_area(polygon, left, top, right, bottom):
    """Area of a polygon inside a rectangle in exact fractions: Sutherland and Hodgman, side by side."""
    points = [(Fraction(float(x)), Fraction(float(y))) for x, y in polygon]
    for axis, sign, limit in ((0, 1, left), (0, -1, right), (1, 1, top), (1, -1, bottom)):
        kept = []
        for a, b in zip(points, points[1:] + points[:1]):
            da, db = sign * (a[axis] - limit), sign * (b[axis] - limit)
            if da >= 0:
                kept.append(a)
            if da * db < 0:
                t = da / (da - db)
                kept.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
        points = kept
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1]))) / 2


# --- Shares and counts --------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(3, 14), st.integers(0, 2**32 - 1))
def test_share_of_every_cell_is_that_of_exact_clipping(size, corners, seed):
    polygon = star(np.random.default_rng(seed), size, corners)
    try:
        zone = Zone("star", polygon, fractions=False)
    except DataError:
        assume(False)
    shares = zone_shares(zone, size)
    height, width = size
    assert shares.shape == (math.ceil(height / 8), math.ceil(width / 8))
    for row, column in np.ndindex(shares.shape):
        left, top = 8 * column, 8 * row
        right, bottom = min(left + 8, width), min(top + 8, height)
        expected = clipped_area(polygon, left, top, right, bottom) / ((right - left) * (bottom - top))
        assert shares[row, column] == pytest.approx(float(expected), abs=1e-12)


def test_share_is_that_of_a_fine_raster():
    rng = np.random.default_rng(3)
    size, fine = (44, 60), 32
    polygon = star(rng, size, 9)
    raster = polygon2mask((44 * fine, 60 * fine), polygon[:, ::-1] * fine - 0.5)
    raster = np.pad(raster, ((0, 4 * fine), (0, 4 * fine)))
    inside = raster.reshape(6, 8 * fine, 8, 8 * fine).sum(axis=(1, 3)) / fine**2
    areas = np.outer([8] * 5 + [4], [8] * 7 + [4])
    np.testing.assert_allclose(zone_shares(Zone("star", polygon), size), inside / areas, atol=0.01)


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(0, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_triangles_that_tile_the_picture_add_up_to_the_count(size, points, seed, fractions):
    rng = np.random.default_rng(seed)
    inside = rng.uniform(0, 1, (points, 2))
    border = np.column_stack([rng.uniform(0, 1, 4), [0, 1, 0, 1]])
    border[:2] = border[:2, ::-1]
    corners = np.vstack([[[0, 0], [1, 0], [0, 1], [1, 1]], border, inside])
    if not fractions:
        corners *= size[::-1]
    zones = []
    triangles = Delaunay(corners).simplices
    assume(fractions or all(corners[triangle].max() > 2 for triangle in triangles))  # none of a few pixels
    for number, triangle in enumerate(triangles):
        try:
            zones.append(Zone(str(number), corners[triangle], fractions=fractions))
        except DataError:  # a triangle without area, on the border
            continue
    density = rng.exponential(20, (math.ceil(size[0] / 8), math.ceil(size[1] / 8))).astype(np.float32)
    counts = count_zones(density, zones, size)
    assert len(counts) == len(zones) >= 4
    assert sum(counts.values()) == pytest.approx(density.sum(dtype=float), rel=1e-10, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(sizes, st.lists(st.floats(0.01, 0.99), max_size=4), st.lists(st.floats(0.01, 0.99), max_size=4))
def test_a_grid_of_zones_adds_up_to_the_count_and_masks_every_pixel_once(size, across, down):
    xs, ys = ([0.0, *sorted(set(cuts)), 1.0] for cuts in (across, down))
    zones = [
        Zone(f"{i} {j}", [[left, top], [right, top], [right, bottom], [left, bottom]])
        for i, (left, right) in enumerate(zip(xs, xs[1:]))
        for j, (top, bottom) in enumerate(zip(ys, ys[1:]))
        if right - left > 1e-6 and bottom - top > 1e-6
    ]
    assume(len(zones) == (len(xs) - 1) * (len(ys) - 1))
    density = np.random.default_rng(1).uniform(0, 9, (-(-size[0] // 8), -(-size[1] // 8)))
    assert sum(count_zones(density, zones, size).values()) == pytest.approx(density.sum(), abs=1e-6)
    assert (sum(zone_mask([zone], size).astype(int) for zone in zones) == 1).all()


def test_people_of_a_last_cell_that_is_cut_off_lie_in_its_part_of_the_picture():
    density = np.zeros((2, 3), np.float32)
    density[1, 2] = 6  # 4 pixels wide, 2 pixels high
    zones = [Zone("left half", [[16, 8], [18, 8], [18, 10], [16, 10]])]
    zones.append(Zone("upper half", [[0, 0], [20, 0], [20, 9], [0, 9]]))
    zones.append(Zone("all but it", [[0, 0], [16, 0], [16, 10], [0, 10]]))
    assert count_zones(density, zones, (10, 20)) == {"left half": 3, "upper half": 3, "all but it": 0}


def test_direction_start_and_repeated_corners_do_not_matter(rng):
    polygon = star(rng, (40, 50), 8)
    expected = zone_shares(Zone("a", polygon), (40, 50))
    assert 0 < expected.sum() < expected.size
    for same in (polygon[::-1], np.roll(polygon, 3, axis=0), np.repeat(polygon, 2, axis=0)):
        np.testing.assert_allclose(zone_shares(Zone("a", same), (40, 50)), expected, atol=1e-13)
    closed = Zone("a", [*polygon.tolist(), polygon[0].tolist()])
    assert len(closed.polygon) == 8


def test_fractions_are_recognized_and_scaled():
    pixels, fractions = Zone("a", [[0, 0], [30, 0], [30, 20]]), Zone("a", [[0, 0], [1, 0], [1, 1]])
    assert (pixels.fractions, fractions.fractions) == (False, True)
    np.testing.assert_array_equal(pixels.pixels((20, 30)), fractions.pixels((20, 30)))
    np.testing.assert_array_equal(fractions.pixels((40, 80)), [[0, 0], [80, 0], [80, 40]])
    # A rounding error of another program makes no zone of one pixel.
    assert Zone("a", [[0, 0], [1 + 1e-9, 0], [1, 1]]).pixels((20, 30)).max() == 30
    assert not Zone("a", [[0, 0], [3, 0], [1, 1]], fractions=False).fractions


@settings(max_examples=40, deadline=None)
@given(st.floats(1.001, 2), st.floats(-1, 2), st.sampled_from([None, False]))
def test_fractions_that_miss_the_picture_are_not_read_as_pixels(right, below, fractions):
    corners = np.array([[0, 0], [right, 0], [below, 1]])
    for polygon in (corners, corners[:, ::-1]):
        with pytest.raises(DataError, match="'a' covers a few pixels at most.*fractions.*must lie in 0..1"):
            Zone("a", polygon, fractions)


def test_ground_points_in_fractions_that_miss_the_picture_are_refused():
    points = np.array([[0, 0, 0, 0], [1.02, 0, 9, 0], [1.02, 1, 9, 9], [0, 1, 0, 9]])
    with pytest.raises(DataError, match="ground points covers a few pixels.*fractions.*must lie in 0..1"):
        Ground.from_points(points)
    assert Ground.from_points(points * [100, 100, 1, 1]).fractions is False
    assert Ground.from_points(points / [1.02, 1, 1, 1]).fractions is True


def test_a_map_of_another_picture_is_refused():
    with pytest.raises(DataError, match=r"shape \(2, 3\).*\(3, 2\)"):
        count_zones(np.zeros((3, 2)), [Zone("a", [[0, 0], [1, 0], [1, 1]])], (16, 24))


def test_zones_are_read_only():
    zone = Zone("a", SQUARE)
    with pytest.raises(ValueError, match="read-only"):
        zone.polygon[0, 0] = 1


# --- Masks and drawings -------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(3, 14), st.integers(0, 2**32 - 1))
def test_mask_holds_the_pixels_whose_middle_is_inside(size, corners, seed):
    # Corners at odd multiples of a power of two keep the border off the middles.
    polygon = star(np.random.default_rng(seed), size, corners) + 2**-9 + np.arange(corners)[:, None] * 2**-13
    polygon = np.minimum(polygon, size[::-1])
    try:
        zone = Zone("star", polygon, fractions=False)
    except DataError:
        assume(False)
    rows, columns = np.indices(size).reshape(2, -1) + 0.5
    expected = points_in_poly(np.column_stack([columns, rows]), polygon).reshape(size)
    np.testing.assert_array_equal(zone_mask([zone], size), expected)


def test_mask_of_several_zones_is_their_union():
    left, right = (
        Zone("left", [[0, 0], [4, 0], [4, 8], [0, 8]]),
        Zone("right", [[3, 0], [6, 0], [6, 8], [3, 8]]),
    )
    mask = zone_mask([left, right], (8, 10))
    assert mask[:, :6].all() and not mask[:, 6:].any()


def test_drawing_darkens_the_outside_and_marks_the_border(rng):
    picture = rng.integers(60, 200, (120, 160, 3), dtype=np.uint8)
    before = picture.copy()
    zone = Zone("square", [[40, 30], [120, 30], [120, 110], [40, 110]])
    drawn = draw_zones(picture, [zone], {"square": "7"})
    assert drawn.shape == picture.shape and drawn.dtype == np.uint8
    np.testing.assert_array_equal(picture, before)
    np.testing.assert_array_equal(drawn[:25], picture[:25] // 3)
    np.testing.assert_array_equal(drawn[35:45, 45:115], picture[35:45, 45:115])
    assert (drawn[30, 45:115] == 255).all()
    assert (drawn[60:80, 60:100] != picture[60:80, 60:100]).any()  # name and count
    assert (draw_zones(picture, [zone]) != drawn).any()


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 9), st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_drawing_in_parts_leaves_no_seam(corners, seed, rows):
    rng = np.random.default_rng(seed)
    size = (97, 131)
    picture = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    try:
        zones = [Zone("star", star(rng, size, corners), fractions=False)]
    except DataError:
        assume(False)
    zones.append(Zone("at the edge", [[0, 0], [9, 0], [9, 9], [0, 9]]))
    whole = draw_zones(picture, zones, {"star": "4", "at the edge": "5"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "_ROWS", rows)
        np.testing.assert_array_equal(draw_zones(picture, zones, {"star": "4", "at the edge": "5"}), whole)


def test_drawing_on_a_large_picture_takes_one_copy_of_it():
    picture = np.full((3000, 3000, 3), 99, np.uint8)
    zone = Zone("nearly all", [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
    draw_zones(picture[:300, :300], [zone])  # what is loaded once does not count
    tracemalloc.start()
    try:
        draw_zones(picture, [zone])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.6 * picture.nbytes


# --- The ground ---------------------------------------------------------------------------------------------


def camera(height=8.0, tilt=25.0, focal=900.0, size=(768, 1024)):
    """A camera above level ground: a function from [X, Y] (right, ahead) in meters to [x, y] in pixels."""
    down = math.radians(tilt)

    def project(ground):
        x, ahead = np.asarray(ground, float).T
        depth = ahead * math.cos(down) + height * math.sin(down)
        below = height * math.cos(down) - ahead * math.sin(down)
        return np.column_stack([size[1] / 2 + focal * x / depth, size[0] / 2 + focal * below / depth])

    return project


def marks(project, ground):
    return np.hstack([project(ground), ground])


RECTANGLE = [[-4, 12], [4, 12], [4, 24], [-4, 24]]


@pytest.mark.parametrize("extra", [[], [[0, 15], [2, 20], [-3, 14]]])
@pytest.mark.parametrize("tilt", [10, 25, 60])
def test_area_is_that_of_the_polygon_on_the_ground(extra, tilt):
    project = camera(tilt=tilt)
    ground = Ground.from_points(marks(project, [*RECTANGLE, *extra]))
    plot = [[-3, 12], [5, 13], [2, 17], [4, 27], [-4, 21]]  # concave, and partly beyond the marks
    expected = 0.5 * abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(plot, plot[1:] + plot[:1])))
    assert ground.area(Zone("plot", project(plot))) == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(ground.to_meters(project(plot)), plot, atol=1e-8)


def test_area_does_not_depend_on_the_axes_on_the_ground():
    project, turn = camera(), math.radians(33)
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    turned = np.array(RECTANGLE) @ rotation * [1, -1] + [500_000, 5_000_000]  # as a map's grid gives them
    ground = Ground.from_points(np.hstack([project(RECTANGLE), turned]))
    assert ground.area(Zone("all", project(RECTANGLE))) == pytest.approx(96, rel=1e-6)


def test_ground_and_zones_may_be_pixels_or_fractions():
    project, size = camera(), (768, 1024)
    points, corners = marks(project, RECTANGLE), project(RECTANGLE)
    scale = np.array([1024, 768])
    zones = [Zone("p", corners), Zone("f", corners / scale)]
    grounds = [Ground.from_points(points), Ground.from_points(points / [1024, 768, 1, 1])]
    assert [ground.fractions for ground in grounds] == [False, True]
    for ground in grounds:
        areas = people_per_square_meter({"p": 192, "f": 96}, zones, ground, size)
        assert areas == {"p": pytest.approx(2), "f": pytest.approx(1)}
    assert grounds[1].area(zones[1]) == pytest.approx(96)
    with pytest.raises(DataError, match="Give the picture's size"):
        grounds[1].area(zones[0])


def test_zone_up_to_the_horizon_has_no_area():
    ground = Ground.from_points(marks(camera(tilt=5), RECTANGLE))
    horizon = 384 - 900 * math.tan(math.radians(5))
    near = [[100, 700], [900, 700], [500, horizon + 20]]
    assert ground.area(Zone("near", near)) > 0
    for y in (horizon, horizon - 50):
        with pytest.raises(DataError, match="'far'.*horizon"):
            ground.area(Zone("far", [[100, 700], [900, 700], [500, y]]))


@pytest.mark.parametrize(
    "points, message",
    [
        ([[0, 0, 0, 0], [9, 0, 1, 0], [9, 9, 1, 1]], "four points or more"),
        ([[0, 0, 0, 0], [100, 100, 1, 0], [200, 200, 1, 1], [300, 300, 0, 1]], "one line in the picture"),
        ([[0, 5, 0, 0], [900, 6, 1, 0], [400, 5, 1, 1], [100, 6, 0, 1]], "one line in the picture"),
        ([[0, 0, 0, 0], [100, 0, 1, 2], [100, 100, 2, 4], [0, 100, 3, 6]], "one line on the ground"),
        ([[5, 5, 0, 0]] * 4, "one line in the picture"),
        ([[0, 0, 0, 0], [100, 0, 1, 0], [200, 0, 2, 0], [50, 90, 1, 2]], "no three"),
        ([[0, 0, 0, 0], [100, 0, 2, 0], [200, 0, 2, 2], [50, 90, 0, 2]], "no three"),
        ([[0, 0, 0, 0], [100, 0, 5, 0], [100, 100, 0, 5], [0, 100, 5, 5]], "swapped"),
        (
            [[0, 0, 0, 0], [90, 0, 9, 0], [90, 90, 9, 9], [0, 90, 0, 9], [45, 0, 4.5, 0], [45, 45, 4.5, 6.5]],
            "m off at",
        ),
        (
            [[0, 0, 0, 0], [90, 0, 900, 0], [90, 90, 900, 900], [0, 90, 0, 900], [45, 0, 450, 0], [45, 45, 450, 650]],
            r"is \d{2,4} m off at",  # 130, and not 1.3e+02
        ),
        ([[0, 0, 0, 0], [9, 0, 1, math.nan], [9, 9, 1, 1], [0, 9, 0, 1]], "finite"),
        ([[0, 0, 0, 0], [9, 0, 1], [9, 9, 1, 1], [0, 9, 0, 1]], "4 finite numbers"),
    ],
)
def test_bad_ground_points_are_refused(points, message):
    with pytest.raises(DataError, match=message):
        Ground.from_points(points)


def test_ground_file(tmp_path):
    file = tmp_path / "ground.json"
    file.write_text(json.dumps({"points": marks(camera(), RECTANGLE).tolist()}))
    assert read_ground(file, (768, 1024)).area(Zone("all", camera()(RECTANGLE))) == pytest.approx(96)
    with pytest.raises(DataError, match="ground point lies outside the picture.*100x80"):
        read_ground(file, (80, 100))
    for content in ("[]", '{"points": 3}', '{"zones": []}'):
        file.write_text(content)
        with pytest.raises(DataError, match="ground.json.*meters"):
            read_ground(file)


# --- Level of service ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("use, square_feet", [("standing", (13, 10, 7, 3, 2)), ("walking", (35, 25, 15, 10, 5))])
def test_levels_change_at_the_square_feet_of_fruins_book(use, square_feet):
    for (better, worse), limit in zip(zip("ABCDE", "BCDEF"), square_feet):
        density = 1 / (limit * SQUARE_FOOT)
        assert level_of_service(density * 0.999, use) == better
        assert level_of_service(density * 1.001, use) == worse
    assert level_of_service(0, use) == "A"
    assert level_of_service(math.inf, use) == "F"
    assert "".join(SERVICE_LEVELS[use]) == "ABCDEF"


@pytest.mark.parametrize("density, use", [(-1, "standing"), (math.nan, "standing"), ("2", "standing"), (1, "dancing")])
def test_levels_of_nonsense_are_refused(density, use):
    with pytest.raises(DataError, match="Received"):
        level_of_service(density, use)


# --- Reading ------------------------------------------------------------------------------------------------


def feature(name="a", ring=(*SQUARE, SQUARE[0]), kind="Polygon", **more):
    geometry = {"type": kind, "coordinates": [list(ring)]}
    return {"type": "Feature", "properties": {"name": name}, "geometry": geometry, **more}


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


def test_both_forms_of_a_file_give_the_same_zones(tmp_path):
    entries = [{"name": "a", "polygon": SQUARE}, {"name": "Bühne", "polygon": [[0, 0], [1, 0], [0.5, 1]]}]
    (tmp_path / "plain.json").write_text(json.dumps(entries), encoding="utf-8-sig")
    features = [feature(entry["name"], [*entry["polygon"], entry["polygon"][0]]) for entry in entries]
    (tmp_path / "zones.geojson").write_text(json.dumps(collection(*features)), encoding="utf-8")
    for source in (tmp_path / "plain.json", str(tmp_path / "zones.geojson"), entries, collection(*features)):
        zones = read_zones(source, (64, 80))
        assert [(zone.name, zone.fractions) for zone in zones] == [("a", False), ("Bühne", True)]
        for zone, entry in zip(zones, entries):
            np.testing.assert_array_equal(zone.polygon, entry["polygon"])
    assert read_zones(zones) == zones


def test_one_feature_is_a_zone_and_heights_are_left_out():
    (zone,) = read_zones(feature("stage", [[x, y, 12.5] for x, y in SQUARE]))
    assert zone.name == "stage" and zone.polygon.tolist() == SQUARE


def test_features_without_a_name_are_numbered_past_the_names_that_are_taken():
    nameless = [feature(properties=properties) for properties in (None, {}, {"name": None, "area": 3})]
    assert [zone.name for zone in read_zones(collection(*nameless))] == ["zone 1", "zone 2", "zone 3"]
    mixed = collection(nameless[0], feature("stage"), feature("zone 1"), nameless[1], feature("zone 3"), nameless[2])
    assert [zone.name for zone in read_zones(mixed)] == ["zone 2", "stage", "zone 1", "zone 4", "zone 3", "zone 5"]
    assert read_zones(nameless[0])[0].name == "zone 1"


@pytest.mark.parametrize(
    "polygon, message",
    [
        ([], "three corners"),
        ([[0, 0], [9, 9]], "three corners"),
        ([[0, 0], [9, 9], [0, 0]], "three corners"),
        ([[5, 5]] * 4, "three corners"),
        ([[0, 0], [30, 30], [60, 60]], "one line"),
        ([[0, 0], [10, 20], [30, 60], [20, 40]], "one line"),
        ([[0, 0], [60, 60], [60, 0], [0, 60]], "crosses itself"),  # its two halves' areas cancel
        ([[0, 0], [60, 40], [60, 0], [10, 60]], "crosses itself"),
        ([[0, 0], [60, 0], [60, 60], [30, 0], [0, 60]], "touches or crosses"),
        ([[0, 0], [60, 0], [60, 60], [60, 20], [0, 60]], "touches or crosses"),  # there and back
        ([[0, 0], [30, 30], [60, 0], [60, 60], [30, 30], [0, 60]], "touches or crosses"),
        ([[0, 0], [60, 0], [60, math.nan]], "finite"),
        ([[0, 0], [60, 0], [60, math.inf]], "finite"),
        ([[0, 0], [60, 0], [60, 10**400]], "finite"),
        ([[0, 0], [60, 0], [60, True]], "finite"),
        ([[0, 0], [60, 0], [60, "60"]], "finite"),
        ([[0, 0], [60, 0], [60, 60, 0]], "finite"),
        ([[0, 0], [60, 0], 60], "finite"),
        ("0 0, 60 0, 60 60", "list of"),
        (None, "list of"),
        ([[0, 0], [63, 0], [60, 60]], "outside the picture.*x=63"),
        ([[0, 0], [60, 0], [60, 83]], "outside the picture.*60x80"),
        ([[-3, 0], [60, 0], [60, 60]], "outside the picture"),
        ([[-0.1, 0], [1, 0], [1, 1]], "fractions.*must lie in 0..1"),
        ([[0, 0], [1.02, 0], [1.02, 1], [0, 1]], "fractions.*must lie in 0..1"),
    ],
)
def test_bad_polygons_are_refused_by_name(polygon, message):
    with pytest.raises(DataError, match=f"'stage'.*{message}"):
        read_zones([{"name": "stage", "polygon": polygon}], (80, 60))


@pytest.mark.parametrize(
    "polygon",
    [
        [[0, 0], [60, 0], [60, 60], [30, 0], [0, 60]],
        [[0, 0], [60, 0], [60, 60], [60, 20], [0, 60]],
        [[0, 0], [30, 30], [30, 0], [60, 60]],
    ],
)
def test_it_does_not_matter_where_a_bad_polygon_starts(polygon):
    for start in range(len(polygon)):
        for corners in (np.roll(polygon, start, axis=0), np.roll(polygon, start, axis=0)[::-1]):
            for turned in (corners, 60 - corners, corners[:, ::-1]):
                with pytest.raises(DataError, match="touches or crosses itself"):
                    Zone("a", turned)


def test_sides_may_lie_in_line_with_each_other():
    teeth = [[0, 0], [10, 0], [10, 30], [20, 30], [20, 0], [40, 0], [40, 30], [50, 30], [50, 0], [60, 0]]
    comb = np.array([*teeth, [60, 60], [0, 60]])
    for corners in (comb, 60 - comb, comb[:, ::-1], np.roll(comb, 5, axis=0)):
        assert zone_shares(Zone("comb", corners), (64, 64)).sum() * 64 == pytest.approx(60 * 60 - 2 * 300)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=7))
def test_a_polygon_is_accepted_only_if_no_two_sides_meet(corners):
    """Against exact integers: sides that are not neighbors share no point, neighbors only their corner."""

    def side(a, b, c):
        value = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        return (value > 0) - (value < 0)

    def within(a, b, c):
        return side(a, b, c) == 0 and all(min(u, v) <= w <= max(u, v) for u, v, w in zip(a, b, c))

    def meet(a, b, c, d):
        proper = side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        return proper or within(a, b, c) or within(a, b, d) or within(c, d, a) or within(c, d, b)

    corners = [c for i, c in enumerate(corners) if c != corners[i - 1]]
    n = len(corners)
    sides = list(zip(corners, corners[1:] + corners[:1]))
    simple = n >= 3 and len(set(corners)) == n
    for i in range(n):
        for j in range(i + 2, n):
            if (i, j) != (0, n - 1):
                simple = simple and not meet(*sides[i], *sides[j])
        a, b, c = corners[i - 2], corners[i - 1], corners[i]
        simple = simple and not within(a, b, c) and not within(b, c, a)
    try:
        Zone("a", 3 * np.array(corners), fractions=False)  # three times as large: no zone of a few pixels
        accepted = True
    except DataError:
        accepted = False
    assert accepted == simple


def via(shape):
    return {"a.jpg1": {"filename": "a.jpg", "regions": [{"shape_attributes": shape, "region_attributes": {}}]}}


@pytest.mark.parametrize(
    "content, message",
    [
        ([], "no zone"),
        (collection(), "no zone"),
        ([{"name": "a", "polygon": SQUARE}] * 2, "two zones named 'a'"),
        ([{"name": "a", "polygon": SQUARE}, {"name": " a ", "polygon": SQUARE}], "two zones named 'a'"),
        ([{"name": "a", "polygon": SQUARE}, {"name": "b"}], "zone 2.*polygon"),
        ([{"name": "", "polygon": SQUARE}], "name"),
        ([{"name": " ", "polygon": SQUARE}], "name"),
        ([{"name": "a\tb", "polygon": SQUARE}], "name"),
        ([{"name": 3.5, "polygon": SQUARE}], "name"),
        ([{"name": "a", "polygon": SQUARE, "unit": "mm"}], "'mm'"),
        ([3], "zone 1"),
        (["a"], "zone 1"),
        ({"zones": []}, "FeatureCollection"),
        ({"type": "FeatureCollection", "features": 3}, "FeatureCollection"),
        (3, "list of zones"),
        (None, "list of zones"),
        (collection(3), "zone 1.*Feature.*Polygon"),
        (collection(feature(), feature()), "two zones named 'a'"),
        (collection(feature(name=[3])), "zone 1.*needs a name"),
        (collection(feature(ring=[[0, 0, 1, 1], [9, 0, 1, 1], [9, 9, 1, 1]])), "zone 1.*2 finite numbers"),
        (collection(feature(ring=[3])), "zone 1.*2 finite numbers"),
        (collection(feature(geometry=None)), "zone 1.*Polygon"),
        (collection(feature(kind="LineString")), "zone 1.*Polygon"),
        (collection(feature(kind="MultiPolygon")), "zone 1 \\('a'\\): is a MultiPolygon.*feature of each"),
        (feature(kind="MultiPolygon"), "zone 1.*MultiPolygon"),
        (feature()["geometry"], "Feature"),
        (collection(feature(geometry={"type": "Polygon", "coordinates": []})), "zone 1.*Polygon"),
        (
            collection(feature(geometry={"type": "Polygon", "coordinates": [SQUARE, SQUARE]})),
            "no area beside its holes",
        ),
        (
            collection(feature(geometry={"type": "Polygon", "coordinates": [SQUARE, [[900, 0], [910, 0], [910, 9]]]})),
            "outside it",
        ),
        ({"shapes": [{"label": "a", "points": SQUARE, "shape_type": "circle"}]}, "polygon or a rectangle.*'circle'"),
        (via({"name": "polygon", "all_points_x": [0, 9, 9, 0], "all_points_y": [0, 0, 9]}), "region 1.*as many"),
    ],
)
def test_bad_contents_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_zones(content)
    (tmp_path / "zones.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"(?s)zones.json.*{message}"):
        read_zones(tmp_path / "zones.json")


def test_unreadable_files_are_refused(tmp_path):
    (tmp_path / "cut.json").write_text('[{"name": ')
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\r\n\xff\xfe")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    for name in ("missing.json", "cut.json", "picture.json", "deep.json", "."):
        with pytest.raises(CrowdCountError, match="file of zones"):
            read_zones(tmp_path / name)


LEFT = [[0, 0], [200, 0], [200, 304], [0, 304]]
RIGHT = [[200, 0], [400, 0], [400, 304], [200, 304]]


@pytest.mark.parametrize(
    "content",
    [
        {"name": "left", "polygon": LEFT},
        [{"name": 7, "polygon": LEFT}],
        [LEFT],
        [{"name": "left", "unit": "percent", "polygon": [[0, 0], [50, 0], [50, 100], [0, 100]]}],
        {"shapes": [{"label": "left", "points": [[0, 0], [200, 304]], "shape_type": "rectangle"}], "version": "5"},
        {"shapes": [{"label": "left", "points": LEFT, "shape_type": "polygon"}]},
        {"shapes": [{"label": "left", "points": LEFT, "shape_type": "rectangle"}]},
        {
            "_via_img_metadata": {
                "a.jpg1": {
                    "filename": "a.jpg",
                    "regions": [
                        {
                            "shape_attributes": {"name": "rect", "x": 0, "y": 0, "width": 200, "height": 304},
                            "region_attributes": {"name": "left"},
                        }
                    ],
                }
            }
        },
    ],
)
def test_what_annotation_tools_save_is_the_same_zone(content):
    """The left half of a map of ones, 38 by 50 cells, holds 950 people."""
    ((name, people),) = count_zones(np.ones((38, 50), np.float32), read_zones(content), (304, 400)).items()
    assert name in ("left", "7", "zone 1") and people == pytest.approx(950)


@pytest.mark.parametrize(
    "attributes, names",
    [
        ([{"name": "stage", "type": "zone"}, {"name": "gate", "type": "zone"}], ["stage", "gate"]),
        ([{"zone": "stage"}, {"name": "", "Label": "gate", "seen": {"day": True}}], ["stage", "gate"]),
        ([{"kind": "crowd"}, {"kind": "crowd"}, {"kind": "stage"}], ["zone 1", "zone 2", "stage"]),
        ([{"name": ""}, {}, 3], ["zone 1", "zone 2", "zone 3"]),
    ],
)
def test_regions_of_the_vgg_image_annotator_have_their_names(attributes, names):
    content = via({"name": "rect", "x": 0, "y": 0, "width": 200, "height": 304})
    (region,) = content["a.jpg1"]["regions"]
    content["a.jpg1"]["regions"] = [{**region, "region_attributes": each} for each in attributes]
    assert [zone.name for zone in read_zones(content)] == names


def test_a_hole_belongs_to_no_one_and_covers_no_ground():
    hole = [[80, 80], [160, 80], [160, 160], [80, 160]]
    (ring,) = read_zones(collection(feature(geometry={"type": "Polygon", "coordinates": [LEFT, hole]})))
    (own,) = read_zones([{"name": "a", "polygon": LEFT, "holes": [hole]}])
    assert np.array_equal(own.holes, ring.holes)
    with pytest.raises(DataError, match="holes should be a list of polygons. Received 5"):
        read_zones([{"name": "a", "polygon": LEFT, "holes": 5}])
    density = np.ones((38, 50), np.float32)
    assert count_zones(density, [ring], (304, 400))["a"] == pytest.approx(950 - 100)
    mask = zone_mask([ring], (304, 400))
    assert mask.sum() == 200 * 304 - 80 * 80 and not mask[100, 100] and mask[20, 20]
    ground = read_ground({"points": [[0, 0, 0, 0], [400, 0, 40, 0], [400, 304, 40, 30.4], [0, 304, 0, 30.4]]})
    assert ground.area(ring) == pytest.approx(20 * 30.4 - 8 * 8)


def test_holes_that_take_a_part_away_twice_are_refused():
    hole, over = [[80, 80], [160, 80], [160, 160], [80, 160]], [[120, 120], [190, 120], [190, 190], [120, 190]]
    triangle = [[0, 0], [200, 0], [0, 200]]
    for border, holes in ((LEFT, [hole, hole]), (LEFT, [hole, over]), (triangle, [hole]), (triangle, [over])):
        with pytest.raises(DataError, match="'a' has holes that reach out of it or over each other"):
            Zone("a", border, holes=holes)
    # What touches, or misses by a pixel as corners are rounded, is what it seems.
    beside, slanted = [[160, 80], [190, 80], [190, 160], [160, 160]], [[100, 20], [181, 20], [100, 101]]
    assert len(Zone("a", LEFT, holes=[hole, beside]).holes) == 2
    assert len(Zone("a", triangle, holes=[slanted]).holes) == 1


def test_percent_are_told_on_a_picture_that_is_much_larger(tmp_path):
    zone = [{"name": "a", "polygon": [[0, 0], [50, 0], [50, 100], [0, 100]]}]
    density = np.ones((38, 50), np.float32)
    with pytest.raises(DataError, match='0 to 100, as percent do, .* 400x304 .*"unit": "percent"'):
        count_zones(density, read_zones(zone), (304, 400))
    kept = read_zones([{**zone[0], "unit": "pixels"}])
    assert count_zones(density, kept, (304, 400))["a"] == pytest.approx(50 * 100 / 64)


@pytest.mark.parametrize("corners", [(10, 90), (0, 95), (5, 48), (52.5, 52.6)])
def test_percent_need_not_reach_100(corners):
    """On a picture of four times as many pixels a side: whoever means the corner can say so."""
    low, high = corners
    polygon = [[low, low], [high, low], [high, high], [low, high]]
    with pytest.raises(DataError, match="0 to 100, as percent do, .* 800x600"):
        read_zones([{"name": "a", "polygon": polygon}], (600, 800))
    for zone in (read_zones([{"name": "a", "polygon": polygon, "unit": "pixels"}])[0], Zone("a", polygon, False)):
        assert zone.pixels((600, 800)).tolist() == polygon
    with pytest.raises(DataError, match="as percent do"):  # a camera's usual size
        Zone("a", polygon).pixels((360, 640))
    assert Zone("a", polygon).pixels((240, 800)).tolist() == polygon
    ring = Zone("ring", [[0, 0], [800, 0], [800, 600], [0, 600]], holes=[polygon])
    assert ring.hole_pixels((600, 800))[0].tolist() == polygon


@pytest.mark.parametrize(
    "polygon, odd",
    [
        ([[0.5, 0.1], [400, 0], [400, 304], [200, 304]], r"x=0.5, y=0.1 lies"),
        ([[0, 0], [0.5, 0], [400, 304], [0, 304]], r"x=0.5, y=0 lies"),
        ([[0, 0], [0.5, 0], [0.5, 304], [0, 304]], r"x=0.5, y=0 lies"),
        ([[0.2, 50], [0.8, 50], [0.8, 304], [0.2, 304]], "every x lies"),
        ([[0, 0], [400, 0], [400, 1], [0, 1]], "every y lies"),
    ],
)
def test_pixels_and_fractions_in_one_polygon_are_told(polygon, odd):
    """By their values they are pixels, and the zone would be a sliver, or have a corner at the picture's."""
    for corners in (polygon, np.roll(polygon, 2, axis=0).tolist(), polygon[::-1]):
        with pytest.raises(DataError, match=f'zone 1.*\'a\' seems to mix.*{odd}.*"unit": "pixels".*Received'):
            read_zones([{"name": "a", "polygon": corners}])
    (zone,) = read_zones([{"name": "a", "unit": "pixels", "polygon": polygon}])
    assert zone.pixels((304, 400)).tolist() == polygon


def test_a_hole_in_fractions_in_a_zone_in_pixels_is_told():
    hole = [[0.25, 0.25], [0.5, 0.25], [0.5, 0.5], [0.25, 0.5]]
    for ring in (hole, [[0, 0], [1, 0], [1, 1], [0, 1]]):
        with pytest.raises(DataError, match="seems to mix pixels and fractions"):
            read_zones(collection(feature(geometry={"type": "Polygon", "coordinates": [LEFT, ring]})))
    whole = [[0, 0], [1, 0], [1, 1], [0, 1]]
    (zone,) = read_zones(collection(feature(geometry={"type": "Polygon", "coordinates": [whole, hole]})))
    assert zone.hole_pixels((304, 400))[0].max() == 200


def test_ground_points_in_pixels_and_fractions_are_told():
    points = np.array([[0.25, 0.75, 0, 0], [400, 0, 9, 0], [400, 300, 9, 9], [0, 300, 0, 9]])
    with pytest.raises(DataError, match="ground points seems to mix.*x=0.25, y=0.75"):
        Ground.from_points(points)
    assert not Ground.from_points(points, fractions=False).fractions


def test_ground_points_in_percent_are_told_and_the_way_out_is_one():
    square = [[10, 40, 0, 0], [90, 40, 10, 0], [90, 90, 10, 10], [10, 90, 0, 10]]
    whole, size = Zone("all", [[0.1, 0.4], [0.9, 0.4], [0.9, 0.9], [0.1, 0.9]]), (600, 800)
    with pytest.raises(DataError, match='A ground point .* as percent do, .* 800x600 .*"unit": "percent"'):
        read_ground({"points": square}, size)
    assert read_ground({"points": square, "unit": "percent"}, size).area(whole, size) == pytest.approx(100)
    inch = Zone("inch", [[10, 40], [90, 40], [90, 90], [10, 90]], fractions=False)
    for ground in (
        read_ground({"points": square, "unit": "pixels"}, size),
        Ground.from_points(square, fractions=False),
    ):
        assert ground.area(inch, size) == pytest.approx(100)
    with pytest.raises(DataError, match='"unit" is "pixels", "fractions" or "percent". Received: \'meters\''):
        read_ground({"points": square, "unit": "meters"})


def test_zones_in_fractions_and_in_pixels_may_stand_in_one_file():
    fractions = [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]
    zones = read_zones([{"name": "left", "polygon": LEFT}, {"name": "right", "polygon": fractions}])
    counts = count_zones(np.ones((38, 50), np.float32), zones, (304, 400))
    assert counts == {"left": pytest.approx(950), "right": pytest.approx(950)}


def labelme(points, width, height):
    shapes = [{"label": "a", "points": points, "shape_type": "polygon"}]
    return {"version": "5", "shapes": shapes, "imagePath": "b.jpg", "imageWidth": width, "imageHeight": height}


def own(points, width, height):
    return {"name": "a", "polygon": points, "width": width, "height": height}


@settings(max_examples=40, deadline=None)
@given(sizes, st.floats(0.2, 5), st.sampled_from([math.floor, math.ceil]), st.sampled_from([labelme, own]))
def test_zones_lie_at_the_same_place_of_a_copy_of_the_picture_that_they_were_drawn_on(size, scale, rounded, form):
    height, width = (10 * side for side in size)
    corners = [[0, 0], [0.4 * width, 0], [0.4 * width, 0.9 * height], [0, 0.9 * height]]
    zones = read_zones(form(corners, width, height))
    copy = rounded(height * scale), rounded(width * scale)
    expected = np.array([[0, 0], [0.4, 0], [0.4, 0.9], [0, 0.9]]) * copy[::-1]
    np.testing.assert_allclose(zones[0].pixels(copy), expected, atol=1e-9)
    density = np.ones((math.ceil(copy[0] / 8), math.ceil(copy[1] / 8)), np.float32)
    everyone = [Zone("all", [[0, 0], [0.4, 0], [0.4, 0.9], [0, 0.9]])]
    assert count_zones(density, zones, copy)["a"] == pytest.approx(count_zones(density, everyone, copy)["all"])


@pytest.mark.parametrize("form", [labelme, own])
def test_zones_of_a_picture_in_another_proportion_are_refused_with_both_sizes(form):
    zones = read_zones(form(LEFT, 400, 304))
    assert zones[0].pixels((304, 400)).tolist() == LEFT
    for size in ((400, 400), (400, 304), (450, 800), (608, 820)):
        with pytest.raises(DataError, match=f"'a' was drawn on a picture of 400x304 .* has {size[1]}x{size[0]}: "):
            zones[0].pixels(size)
    with pytest.raises(DataError, match="400x304.*300x304"):
        read_zones(form(LEFT, 400, 304), (304, 300))


def test_a_zone_outside_the_picture_that_it_was_drawn_on_is_refused_on_a_larger_one_too():
    with pytest.raises(DataError, match="x=200, y=0; the picture has 100x76 pixels"):
        read_zones(labelme(LEFT, 100, 76), (304, 400))


def test_a_zone_keeps_its_unit_where_the_size_is_said():
    fractions = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    (zone,) = read_zones({**own(fractions, 400, 304), "unit": "fractions"}, (300, 300))
    assert zone.pixels((300, 300)).max() == 300
    (zone,) = read_zones(own([[0, 0], [50, 0], [50, 100], [0, 100]], 800, 600))  # no percent: the size says what it is
    assert zone.pixels((1200, 1600)).max() == 200


@pytest.mark.parametrize(
    "width, height", [(0, 304), (-400, 304), (400, None), ("400", 304), (True, 304), (1.5, 304), (10**30, 304)]
)
def test_a_size_that_is_none_is_told(width, height):
    with pytest.raises(DataError, match=f"imageWidth and imageHeight.*imageWidth={width!r}, imageHeight={height}"):
        read_zones(labelme(LEFT, width, height))
    assert read_zones(labelme(LEFT, None, None))[0].pixels((500, 500)).tolist() == LEFT


def test_ground_under_a_zone_of_a_smaller_copy():
    ground = read_ground({"points": [[0, 0, 0, 0], [800, 0, 40, 0], [800, 608, 40, 30.4], [0, 608, 0, 30.4]]})
    (zone,) = read_zones(labelme(LEFT, 400, 304))
    assert ground.area(zone, (608, 800)) == pytest.approx(20 * 30.4)
    with pytest.raises(DataError, match="Give the picture's size"):
        ground.area(zone)


def test_ground_measured_on_a_smaller_copy():
    """One that does not say so, used with the whole picture, made sixteen times the square meters of this one."""
    points = [[100, 100, 0, 0], [900, 100, 20, 0], [900, 700, 20, 10], [100, 700, 0, 10]]
    ground, half = read_ground({"points": points, "width": 1000, "height": 750}), [[0.1, 0.1], [0.5, 0.1], [0.5, 0.9]]
    lower = Zone("half", [*half, [0.1, 0.9]])
    for size in ((750, 1000), (3000, 4000)):
        assert ground.area(lower, size) == pytest.approx(100)
        assert ground.area(ground.measured(), size) == pytest.approx(200)
        assert ground.area(Zone("p", lower.pixels(size)), size) == pytest.approx(ground.area(lower, size))
    with pytest.raises(DataError, match="Give the picture's size"):
        ground.area(ground.measured())
    with pytest.raises(DataError, match="The ground was drawn on .*1000x750 .*another proportion"):
        read_ground(ground, (3000, 3000))
    with pytest.raises(DataError, match="Received: width=0"):
        read_ground({"points": points, "width": 0, "height": 750})


def test_a_zone_of_which_nothing_is_left_in_the_picture_is_refused():
    above = Zone("above", [[0, 0], [400, 0], [200, -1.5]])
    for use in (
        lambda: count_zones(np.ones((38, 50), np.float32), [above], (304, 400)),
        lambda: draw_zones(np.zeros((304, 400, 3), np.uint8), [above]),
    ):
        with pytest.raises(DataError, match="'above' lies at the border of the picture, of 400x304 pixels"):
            use()


def test_corners_up_to_two_pixels_outside_are_moved_to_the_border():
    zone = read_zones([{"name": "all", "polygon": [[-1, 0], [401, 0], [401, 306], [-1, 306]]}])
    assert count_zones(np.ones((38, 50), np.float32), zone, (304, 400))["all"] == pytest.approx(38 * 50)


def test_degrees_of_the_earth_are_refused():
    with pytest.raises(DataError, match="a few pixels at most"):
        Zone("square", [[116.391, 39.905], [116.392, 39.905], [116.392, 39.906]])
    seen, degrees = (
        [[0, 0], [99, 0], [99, 99], [0, 99]],
        [[13.1, 52.1], [13.101, 52.1], [13.101, 52.101], [13.1, 52.101]],
    )
    with pytest.raises(DataError, match="not kilometers or degrees"):
        Ground.from_points([[*p, *q] for p, q in zip(seen, degrees)])


def test_a_name_that_stands_twice_in_a_file_of_zones_is_told(tmp_path):
    path = tmp_path / "zones.json"
    path.write_text('[{"name": "a", "polygon": [[0, 0], [9, 0], [9, 9]], "polygon": [[0, 0], [90, 0], [90, 90]]}]')
    with pytest.raises(DataError, match="'polygon' stands twice .*leave one out"):
        read_zones(path)


def test_ground_whose_pixels_would_be_meters_wide_is_refused():
    """Points with the meters first, or in centimeters, made a crowd of thousandths of a person a square meter."""
    seen, meters = [[0, 0], [400, 0], [400, 304], [0, 304]], [[0, 0], [20, 0], [20, 15], [0, 15]]
    good = [[*p, *q] for p, q in zip(seen, meters)]
    exchanged = [[*q, *p] for p, q in zip(seen, meters)]
    centimeters = [[x, y, X * 100, Y * 100] for x, y, X, Y in good]
    fractions = [[x / 400, y / 304, X, Y] for x, y, X, Y in centimeters]
    read_ground({"points": good}, (304, 400))
    for points, unit in ((exchanged, "pixels"), (centimeters, None), (fractions, None)):
        with pytest.raises(DataError, match="square meters into each pixel.*first its place in the picture"):
            read_ground({"points": points, "unit": unit}, (304, 400))
    with pytest.raises(DataError, match=r"span 0.02 m at most. Give meters, not kilometers"):
        read_ground({"points": [[x, y, X / 1000, Y / 1000] for x, y, X, Y in good]})


@pytest.mark.parametrize("far", [1e10, 1e154, 1e300, -1e200])
def test_ground_points_beside_all_pictures_are_told(far):
    """The zone between them, which is made before a picture is read, ended in a trace of its own."""
    with pytest.raises(DataError, match="outside of any picture. Received: x="):
        read_ground({"points": [[0, 0, 0, 0], [far, 0, 20, 0], [far, 304, 20, 15], [0, 304, 0, 15]]})


@pytest.mark.parametrize("key", ["units", "Unit", "UNITS", "ground_unit", "unit_2", "lengthUnit"])
def test_a_unit_under_another_name_is_told(key):
    """Left out, it made feet meters, and people a tenth as dense."""
    points = [[0, 0, 0, 0], [400, 0, 20, 0], [400, 304, 20, 15], [0, 304, 0, 15]]
    with pytest.raises(DataError, match=f"'{key}' is not read.*on the ground are in meters. Received: 'feet'"):
        read_ground({"points": points, key: "feet"})
    with pytest.raises(DataError, match=f"'{key}' is not read"):
        read_zones([{"name": "a", "polygon": LEFT, key: "percent"}])
    (zone,) = read_zones([{"name": "a", "polygon": LEFT, "community": "Riverside", "Unity": 1}])
    assert zone.name == "a"
