"""Drawing zones in a notebook: what the page sends becomes zones, and the page sends what was clicked."""

import base64
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from crowdcount.area.zone_files import read_zones
from crowdcount.area.zones import Zone, count_zones
from crowdcount.errors import DataError, MissingPackageError, PictureError

pytest.importorskip("anywidget", reason="drawing zones needs pip install '.[notebooks]'")

from crowdcount.annotating.zone_widget import select_zones

SQUARE = [[8, 8], [40, 8], [40, 32], [8, 32]]
BOW_TIE = [[8, 8], [40, 32], [40, 8], [8, 32]]


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (48, 64, 3), np.uint8)


def send(selector, *shapes):
    """Let the page send its zones, as the protocol of Jupyter widgets does."""
    state = {"shapes": [{"name": name, "polygon": polygon} for name, polygon in shapes]}
    content = {"data": {"method": "update", "state": state, "buffer_paths": []}}
    selector.widget._handle_msg({"content": content, "buffers": []})


# --- Python's side ------------------------------------------------------------------------------------------


def test_what_the_page_sends_counts_by_zone(picture):
    selector = select_zones(picture)
    assert selector.zones == []
    send(selector, ("stage", SQUARE), ("rest", [[40, 0], [64, 0], [64, 48], [40, 48]]))
    assert [zone.name for zone in selector.zones] == ["stage", "rest"]
    density = np.ones((6, 8), np.float32)
    assert count_zones(density, selector.zones, selector.size) == {"stage": 12.0, "rest": 18.0}
    assert selector.widget.problem == ""


def test_saved_zones_are_read_again_and_nothing_else_is_left(picture, tmp_path):
    selector = select_zones(picture)
    send(selector, ("Bühne", SQUARE))
    selector.save(tmp_path / "zones.json")
    (zone,) = read_zones(tmp_path / "zones.json", (48, 64))
    assert zone.name == "Bühne" and not zone.fractions and zone.polygon.tolist() == SQUARE
    assert [path.name for path in tmp_path.iterdir()] == ["zones.json"]
    for drawn in (zone, selector.zones[0]):  # on a copy at the same place, on no other picture
        assert drawn.pixels((96, 128)).tolist() == (2 * np.array(SQUARE)).tolist()
        with pytest.raises(DataError, match="64x48.*48x48"):
            drawn.pixels((48, 48))


def test_begins_with_zones_in_pixels_or_fractions(picture):
    half = Zone("half", [[0, 0], [0.5, 0], [0.5, 1], [0, 1]])
    selector = select_zones(picture, [half, Zone("stage", SQUARE)])
    assert selector.widget.shapes[0]["polygon"] == [[0, 0], [32, 0], [32, 48], [0, 48]]
    assert [zone.polygon.tolist() for zone in selector.zones] == [[[0, 0], [32, 0], [32, 48], [0, 48]], SQUARE]
    with pytest.raises(DataError, match="outside the picture"):
        select_zones(picture, [Zone("far", [[0, 0], [90, 0], [90, 9]])])


def test_holes_of_zones_to_begin_with_stay(picture, tmp_path):
    hole = [[16, 16], [24, 16], [24, 24], [16, 24]]
    selector = select_zones(picture, [{"name": "ring", "polygon": SQUARE, "holes": [hole]}])
    (shape,) = selector.widget.shapes
    assert shape["holes"] == [hole]
    selector.save(tmp_path / "zones.json")
    for zones in (selector.zones, read_zones(tmp_path / "zones.json")):
        assert count_zones(np.ones((6, 8), np.float32), zones, selector.size) == {"ring": 11.0}
    selector.widget.shapes = [{**shape, "polygon": [[30, 8], [40, 8], [40, 32]]}]  # a corner was moved past it
    assert "hole that lies outside" in selector.widget.problem


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([("stage", BOW_TIE)], "'stage'.* crosses itself"),
        ([("stage", SQUARE), ("stage", SQUARE)], "two zones named 'stage'"),
        ([("", SQUARE)], "needs a name"),
        ([("thin", [[8, 8], [9, 9], [20, 20]])], "'thin' has no area"),
        ([("out", [[8, 8], [40, 8], [40, 90]])], "'out' lies outside the picture"),
        ([("dot", [[0, 0], [1, 0], [1, 1]])], "'dot' covers a few pixels at most"),
        ([("speck", [[0, 0], [2, 0], [2, 1]])], "'speck' covers a few pixels at most"),
        ([("odd", [[0, 0], ["x", 0], [1, 9]])], "2 finite numbers"),
    ],
)
def test_a_bad_zone_is_told_by_name_in_the_page_and_in_python_and_not_saved(picture, tmp_path, shapes, message):
    selector = select_zones(picture)
    send(selector, *shapes)
    with pytest.raises(DataError, match=message) as told:
        _ = selector.zones
    assert selector.widget.problem == str(told.value)
    with pytest.raises(DataError, match=message):
        selector.save(tmp_path / "zones.json")
    assert not list(tmp_path.iterdir())
    send(selector, ("mended", SQUARE))
    assert selector.widget.problem == "" and len(selector.zones) == 1


def test_a_message_that_is_no_zone_is_told(picture):
    selector = select_zones(picture)
    selector.widget.shapes = ["nonsense"]
    assert "no zone" in selector.widget.problem


def test_nothing_drawn_is_not_saved(picture, tmp_path):
    with pytest.raises(DataError, match="no zone to save"):
        select_zones(picture).save(tmp_path / "zones.json")


def test_large_pictures_travel_small_and_zones_stay_in_their_pixels(rng):
    selector = select_zones(np.zeros((1500, 3000, 3), np.uint8))
    assert Image.open(io.BytesIO(selector.widget.picture)).size == (1600, 800)
    assert selector.widget.size == [3000, 1500]
    send(selector, ("far right", [[2900, 0], [3000, 0], [3000, 1500]]))
    assert selector.zones[0].pixels((1500, 3000)).max() == 3000


def test_shows_the_widget_and_a_still_picture_for_the_web(picture):
    selector = select_zones(picture)
    plain = selector._repr_mimebundle_()[0]
    send(selector, ("stage", SQUARE))
    data, _ = selector._repr_mimebundle_(include=None, exclude=None)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == selector.widget.model_id
    assert data["text/plain"] == "1 zone on a picture of 64x48 pixels"
    assert data["image/jpeg"] != plain["image/jpeg"]
    assert Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"]))).size == (64, 48)


def test_a_bad_picture_is_told():
    with pytest.raises(PictureError, match="does not exist"):
        select_zones("no such picture.jpg")


def test_without_anywidget_one_error_names_the_extra(picture, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(MissingPackageError, match=r'pip install "\.\[notebooks\]"'):
        select_zones(picture)


def test_the_scripts_of_the_page_travel_and_need_no_server(picture):
    script = select_zones(picture).widget._esm
    assert "class Zones" in script and "class Stage" in script and "\nimport " not in script
    code = "import sys; sys.modules['starlette'] = None; from crowdcount.annotating import widget, zone_widget"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- The page's side, in a real browser -----------------------------------------------------------------------

# A notebook's model, and a page that shows the widget.
PAGE = """async ([script, style, texts, size, shapes, jpeg, early]) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  const heard = {}, state = { texts, size, shapes, problem: "", picture: Uint8Array.from(jpeg) };
  const told = (name) => (heard[`change:${name}`] ?? []).forEach((listener) => listener());
  window.model = {
    state, heard, sent: [],
    get: (name) => state[name],
    set(name, value) { this.receive(name, value); },
    save_changes() { this.sent.push(JSON.parse(JSON.stringify(state.shapes))); },
    on: (name, listener) => (heard[name] ??= []).push(listener),
    off: (name, listener) => (heard[name] = heard[name].filter((other) => other !== listener)),
    receive(name, value) { state[name] = value; told(name); },
  };
  const widget = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  window.keys = [];
  document.addEventListener("keydown", (event) => window.keys.push(event.key)); // what is left to the notebook
  window.leave = widget.default.render({ model: window.model, el: document.body });
  // Keys that come before the picture is decoded.
  for (const key of early) document.querySelector(".cc-marks").dispatchEvent(new KeyboardEvent("keydown", { key }));
}"""
SHOWN = """() => {
  const { width, height } = document.querySelector(".cc-picture");
  const picture = document.querySelector(".cc-picture").getContext("2d");
  return picture.getImageData(width / 2, height / 2, 1, 1).data[3] > 0;
}"""
SHAPES = [
    {"name": "stage", "polygon": [[0, 0], [90, 0], [90, 90]]},
    {"name": "zone 3", "polygon": [[200, 200], [280, 200], [280, 280]]},
]
CORNERS = [[40, 40], [320, 40], [600, 440], [160, 240]]


class Shown:
    """The widget of a picture of 640 x 480 pixels, in a page."""

    def __init__(self, page, shapes=(), early=()):
        selector = select_zones(np.zeros((480, 640, 3), np.uint8))
        canvas = selector.widget
        page.goto("about:blank")
        pixels = list(canvas.picture)
        page.evaluate(PAGE, [canvas._esm, canvas._css, canvas.texts, canvas.size, list(shapes), pixels, list(early)])
        page.wait_for_function(SHOWN)
        self.page, self.marks = page, page.locator(".cc-marks")
        self.close, self.undo = page.locator(".cc-row > button").all()[:2]

    def place(self, x, y):
        box = self.marks.bounding_box()
        scale = min(box["width"] / 640, box["height"] / 480)
        left = box["x"] + (box["width"] - 640 * scale) / 2
        return left + x * scale, box["y"] + (box["height"] - 480 * scale) / 2 + y * scale

    def click(self, x, y, **how):
        self.page.mouse.click(*self.place(x, y), **how)

    def corners(self):
        for corner in CORNERS:
            self.click(*corner)

    def of_model(self, what):
        return self.page.evaluate(f"model.{what}")


@pytest.fixture(scope="module", params=[1280, 390])
def window(request, browser):
    context = browser.new_context(viewport={"width": request.param, "height": 900}, locale="en-US")
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("closing", ["twice", "first corner", "Enter", "button"])
def test_clicks_become_a_zone_that_python_reads(window, closing):
    shown = Shown(window)
    for corner in CORNERS[:-1] if closing == "twice" else CORNERS:
        shown.click(*corner)
    work = {
        "twice": lambda: window.mouse.dblclick(*shown.place(*CORNERS[-1])),
        "first corner": lambda: shown.click(44, 42),
        "Enter": lambda: window.keyboard.press("Enter"),
        "button": lambda: shown.close.click(),
    }
    work[closing]()
    ((sent,),) = shown.of_model("sent")
    assert sent["name"] == "zone 1"
    selector = select_zones(np.zeros((480, 640, 3), np.uint8))
    send(selector, (sent["name"], sent["polygon"]))
    np.testing.assert_allclose(selector.zones[0].pixels((480, 640)), CORNERS, atol=2)
    assert window.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_corners_can_be_taken_back(window):
    shown = Shown(window)
    shown.corners()
    shown.undo.click()
    shown.close.click()
    assert len(shown.of_model("state.shapes[0].polygon")) == 3
    shown.corners()
    for key in ("Backspace", "Escape", "s"):
        window.keyboard.press(key)
    assert shown.close.is_disabled() and shown.undo.is_disabled() and len(shown.of_model("sent")) == 1
    assert window.evaluate("keys") == ["s"], "other keys are left to the notebook, and ours are not"


def test_a_zone_is_drawn_by_the_keys_alone(window):
    shown = Shown(window, early=["Enter", "Enter", "ArrowRight", "Enter"])  # too early: there is no place for them yet
    press = window.keyboard.press
    assert "Enter sets a corner" in shown.marks.get_attribute("aria-label")
    press("Tab")  # to the picture, which is the first to be reached
    press("Escape")  # nothing to end yet: the notebook's
    press("Enter")  # brings the cross hairs up in the middle
    scale = shown.place(1, 0)[0] - shown.place(0, 0)[0]
    across, fine = 12 / scale, 1 / scale
    for key, times in (("ArrowRight", 5), ("ArrowDown", 5), ("ArrowLeft", 8)):
        press("Enter")
        for _ in range(times):
            press(key)
    press("Enter")
    press("Backspace")  # the fourth corner, set once more where it is wanted
    press("Shift+ArrowUp")
    press("Enter")
    press("Enter")
    (zone,) = shown.of_model("state.shapes")
    right, below = 320 + 5 * across, 240 + 5 * across
    expected = [[320, 240], [right, 240], [right, below], [right - 8 * across, below - fine]]
    np.testing.assert_allclose(zone["polygon"], expected, atol=1)
    for key in ("Enter", "ArrowUp", "Enter", "Escape", "Escape"):
        press(key)
    assert shown.close.is_disabled() and shown.undo.is_disabled() and len(shown.of_model("sent")) == 1
    assert window.evaluate("keys.filter((key) => !['Tab', 'Shift'].includes(key))") == ["Escape", "Escape"]


def test_a_double_click_on_the_first_corner_closes_the_zone_and_begins_no_other(window):
    shown = Shown(window)
    shown.corners()
    window.wait_for_timeout(600)  # the last corner is far away, but a slow machine's clicks are quick ones here
    window.mouse.dblclick(*shown.place(*CORNERS[0]))
    assert len(shown.of_model("sent")) == 1 and shown.undo.is_disabled()
    assert window.locator("[role=alert]").is_hidden()


def test_the_hole_of_a_zone_is_left_unfilled(window):
    ring = {"name": "ring", "polygon": [[80, 80], [560, 80], [560, 400], [80, 400]]}
    shown = Shown(window, [{**ring, "holes": [[[240, 160], [400, 160], [400, 320], [240, 320]]]}])
    alpha = """([x, y]) => {
        const marks = document.querySelector(".cc-marks"), box = marks.getBoundingClientRect();
        const [across, down] = [(x - box.x) * marks.width / box.width, (y - box.y) * marks.height / box.height];
        return marks.getContext("2d").getImageData(across, down, 1, 1).data[3];
    }"""
    within = {place: window.evaluate(alpha, shown.place(*place)) for place in ((350, 290), (500, 130), (20, 20))}
    assert within[350, 290] == within[20, 20] == 0 < within[500, 130]


def test_two_corners_are_no_zone(window):
    shown = Shown(window)
    shown.click(40, 40)
    window.mouse.dblclick(*shown.place(320, 40))
    assert shown.of_model("sent") == [] and "three corners" in window.locator("[role=alert]").inner_text()
    shown.click(600, 440)
    assert window.locator("[role=alert]").is_hidden()


def test_zones_are_renamed_removed_and_get_names_of_their_own(window):
    shown = Shown(window, SHAPES)
    field = window.locator("input").nth(1)
    field.fill(" bar ")
    # The click ends the typing, which names the zone anew: the button must still be there.
    window.get_by_role("button", name="Remove stage").click()
    assert [[zone["name"] for zone in shapes] for shapes in shown.of_model("sent")] == [["stage", "bar"], ["bar"]]
    assert window.locator("input").evaluate_all("all => all.map((field) => field.value)") == ["bar"]
    shown = Shown(window, SHAPES)
    shown.corners()
    shown.close.click()
    assert [zone["name"] for zone in shown.of_model("state.shapes")] == ["stage", "zone 3", "zone 4"]


def test_a_corner_of_a_zone_can_be_moved(window):
    shown = Shown(window, SHAPES)
    window.mouse.move(*shown.place(90, 90))
    window.mouse.down()
    window.mouse.move(*shown.place(150, 300), steps=4)
    window.mouse.up()
    np.testing.assert_allclose(shown.of_model("state.shapes[0].polygon"), [[0, 0], [90, 0], [150, 300]], atol=2)


def test_what_python_says_is_shown_and_listeners_go_with_the_widget(window):
    shown = Shown(window)
    shown.click(*CORNERS[0])
    told = window.locator("[role=alert]")
    window.evaluate("model.receive('problem', 'it crosses itself')")
    assert told.inner_text() == "it crosses itself"
    window.evaluate("shapes => (model.receive('problem', ''), model.receive('shapes', shapes))", SHAPES)
    assert told.is_hidden() and window.locator("input").count() == 2
    assert shown.undo.is_enabled(), "the corner that was being drawn is gone"
    window.evaluate("leave()")
    assert window.evaluate("Object.values(model.heard).flat().length") == 0
