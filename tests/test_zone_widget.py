"""Drawing zones in a notebook: what the page sends becomes zones, and the page sends what was clicked."""

import base64
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crowdcount.area.zone_files import read_zones
from crowdcount.area.zones import Zone, count_zones
from crowdcount.errors import DataError, MissingPackageError, PictureError

pytest.importorskip("anywidget", reason="drawing zones needs pip install '.[notebooks]'")

from crowdcount.area.widget import select_zones

SCRIPT = Path(sys.modules["crowdcount.area.widget"].__file__).with_suffix(".js")
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


def test_begins_with_zones_in_pixels_or_fractions(picture):
    half = Zone("half", [[0, 0], [0.5, 0], [0.5, 1], [0, 1]])
    selector = select_zones(picture, [half, Zone("stage", SQUARE)])
    assert selector.widget.shapes[0]["polygon"] == [[0, 0], [32, 0], [32, 48], [0, 48]]
    assert [zone.polygon.tolist() for zone in selector.zones] == [[[0, 0], [32, 0], [32, 48], [0, 48]], SQUARE]
    with pytest.raises(DataError, match="outside the picture"):
        select_zones(picture, [Zone("far", [[0, 0], [90, 0], [90, 9]])])


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


def test_the_script_travels_to_the_page(picture):
    assert select_zones(picture).widget._esm == SCRIPT.read_text("utf-8")


# --- The page's side ----------------------------------------------------------------------------------------

# Just enough of a page for the script: elements that remember what was set and listeners that can be called.
PAGE = """
class Element {
  constructor(kind) { Object.assign(this, { kind, attributes: {}, children: [], listeners: {}, textContent: "" }); }
  setAttribute(name, value) { this.attributes[name] = value; }
  append(...children) { this.children.push(...children); }
  replaceChildren(...children) { this.children = children; }
  addEventListener(name, listener) { (this.listeners[name] ??= []).push(listener); }
  getBoundingClientRect() { return { left: 100, top: 50, width: 320, height: 240 }; }
  focus() { focused = this; }
  fire(name, event = {}) {
    const whole = { preventDefault() {}, stopPropagation() { stopped += 1; }, ...event };
    for (const listener of this.listeners[name] ?? []) listener(whole);
  }
  find(kind) { return this.children.flatMap((c) => [...(c.kind === kind ? [c] : []), ...c.find(kind)]); }
}
let focused = null, stopped = 0;
const revoked = [];
globalThis.document = {
  createElement: (kind) => new Element(kind),
  createElementNS: (space, kind) => new Element(kind),
};
globalThis.Blob = class { constructor(parts, options) { Object.assign(this, { parts, ...options }); } };
globalThis.URL = { createObjectURL: (blob) => `blob:${blob.type}`, revokeObjectURL: (url) => revoked.push(url) };

class Model {
  constructor(state) { Object.assign(this, { state, heard: {}, sent: [] }); }
  get(name) { return this.state[name]; }
  set(name, value) { this.receive(name, value); }
  save_changes() { this.sent.push(JSON.parse(JSON.stringify(this.state.shapes))); }
  on(name, listener) { (this.heard[name] ??= []).push(listener); }
  off(name, listener) { this.heard[name] = this.heard[name].filter((other) => other !== listener); }
  receive(name, value) {
    this.state[name] = value;
    for (const listener of this.heard[`change:${name}`] ?? []) listener();
  }
}
const model = new Model({ picture: new Uint8Array(3), size: [640, 480], shapes: SHAPES, problem: "" });
const el = new Element("div");
const leave = widget.default.render({ model, el });
const canvas = el.find("svg")[0];
const click = (x, y, detail = 1) => canvas.fire("click", { clientX: x, clientY: y, detail });
const [close, undo] = el.find("button");
"""


def page(tmp_path, actions, shapes=()):
    """What `actions`, an expression or statements ending in `return`, give in a page that shows the widget."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("the page's script is tried with Node.js, which is not here")
    (tmp_path / "widget.mjs").write_text(SCRIPT.read_text("utf-8"), encoding="utf-8")
    code = f'import * as widget from "./widget.mjs";\n{PAGE.replace("SHAPES", json.dumps(list(shapes)))}'
    code += f"\nconsole.log(JSON.stringify((() => {{ {actions} }})()));"
    (tmp_path / "try.mjs").write_text(code, encoding="utf-8")
    done = subprocess.run([node, "try.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CLICKS = "click(100, 50); click(260, 50); click(420.3, 290); click(180, 170);"
# The picture is shown at half its size, at (100, 50) of the page.
CORNERS = [[0, 0], [320, 0], [640, 480], [160, 240]]


@pytest.mark.parametrize(
    "closing",
    [
        "click(180, 170, 2); canvas.fire('dblclick');",
        "click(103, 54);",
        "canvas.fire('keydown', { key: 'Enter' });",
        "close.fire('click');",
    ],
)
def test_clicks_become_a_zone_in_pixels_of_the_picture(tmp_path, closing):
    sent = page(tmp_path, CLICKS + closing + "return model.sent;")
    assert sent == [[{"name": "zone 1", "polygon": CORNERS}]]


def test_what_the_page_sent_is_what_python_reads(tmp_path):
    sent = page(tmp_path, CLICKS + "close.fire('click'); return model.state.shapes;")
    selector = select_zones(np.zeros((480, 640, 3), np.uint8))
    send(selector, *[(shape["name"], shape["polygon"]) for shape in sent])
    assert selector.zones[0].pixels((480, 640)).tolist() == CORNERS


def test_corners_can_be_taken_back(tmp_path):
    undone = page(tmp_path, CLICKS + "undo.fire('click'); close.fire('click'); return model.state.shapes;")
    assert undone[0]["polygon"] == CORNERS[:3]
    keys = "canvas.fire('keydown', { key: 'Backspace' }); canvas.fire('keydown', { key: 'Escape' });"
    none = page(tmp_path, CLICKS + keys + "close.fire('click'); return [model.sent.length, stopped, undo.disabled];")
    assert none == [0, 2, True]


def test_other_keys_are_left_to_the_notebook(tmp_path):
    assert page(tmp_path, "canvas.fire('keydown', { key: 's' }); return stopped;") == 0


def test_a_double_click_on_the_first_corner_closes_the_zone_and_complains_of_nothing(tmp_path):
    closing = "click(103, 54); click(103, 54, 2); canvas.fire('dblclick');"
    code = CLICKS + closing + "return [model.sent, el.find('div').map((line) => line.textContent).join('')];"
    sent, told = page(tmp_path, code)
    assert sent == [[{"name": "zone 1", "polygon": CORNERS}]] and "three corners" not in told


def test_two_corners_are_no_zone(tmp_path):
    sent, told = page(
        tmp_path,
        "click(100, 50); click(260, 50); canvas.fire('dblclick');"
        "return [model.sent, el.find('div').map((line) => line.textContent).join('')];",
    )
    assert sent == [] and "three corners" in told


def test_a_click_beside_the_picture_is_taken_to_its_border(tmp_path):
    code = "click(0, 0); click(900, 60); click(300, 900); close.fire('click'); return model.state.shapes[0].polygon;"
    assert page(tmp_path, code) == [[0, 0], [640, 20], [400, 480]]


SHAPES = [
    {"name": "stage", "polygon": [[0, 0], [9, 0], [9, 9]]},
    {"name": "zone 3", "polygon": [[0, 0], [8, 0], [8, 8]]},
]


def test_zones_are_renamed_and_removed(tmp_path):
    renamed = page(
        tmp_path,
        "const field = el.find('input')[1]; field.value = ' bar '; field.fire('change'); return model.sent;",
        SHAPES,
    )
    assert [[shape["name"] for shape in shapes] for shapes in renamed] == [["stage", "bar"]]
    removed = page(tmp_path, "el.find('button')[2].fire('click'); return model.sent;", SHAPES)
    assert removed == [SHAPES[1:]]


def test_a_rename_leaves_the_buttons_where_they_are(tmp_path):
    removed = page(
        tmp_path,
        "const remove = el.find('button')[2], field = el.find('input')[1]; field.value = 'bar'; field.fire('change');"
        "remove.fire('click'); return [el.find('input').map((f) => f.value), model.state.shapes.map((s) => s.name)];",
        SHAPES,
    )
    assert removed == [["bar"], ["bar"]]
    kept = "const b = el.find('button')[2], f = el.find('input')[0]; f.value = 'a'; f.fire('change');"
    assert page(tmp_path, kept + "return b === el.find('button')[2];", SHAPES)


@pytest.mark.parametrize("size, letters", [([200, 150], 18), ([150, 900], 18), ([4000, 3000], 90)])
def test_names_can_be_read_on_a_picture_of_any_size(tmp_path, size, letters):
    # A small picture is shown at its own size: letters of a few of its pixels could not be read.
    code = (
        f"model.state.size = {size}; const other = new Element('div'); widget.default.render({{ model, el: other }});"
    )
    shown = page(tmp_path, code + "return other.find('text').map((text) => text.attributes['font-size']);", SHAPES)
    assert list(map(float, shown)) == [letters] * 2


def test_a_new_zone_gets_a_name_of_its_own(tmp_path):
    names = page(tmp_path, CLICKS + "close.fire('click'); return model.state.shapes.map((s) => s.name);", SHAPES)
    assert names == ["stage", "zone 3", "zone 4"]


def test_what_python_says_is_shown_and_listeners_go_with_the_widget(tmp_path):
    shown = page(
        tmp_path,
        "const lines = () => el.find('div').map((line) => line.textContent).join('');"
        "model.receive('problem', 'it crosses itself'); const told = lines();"
        f"model.receive('problem', ''); model.receive('shapes', {json.dumps(SHAPES)});"
        "const drawn = [el.find('polygon').length, el.find('text').map((text) => text.textContent)]; leave();"
        "return [told.includes('crosses itself'), lines().includes('crosses'), drawn, revoked,"
        " Object.values(model.heard).flat().length];",
    )
    assert shown == [True, False, [2, ["stage", "zone 3"]], ["blob:image/jpeg"], 0]
