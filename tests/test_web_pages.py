"""The pages in a real browser: a picture goes in, a number comes out; dots are placed and lie in the file."""

import csv
import io
import json
import os
import re
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("uvicorn", reason="the pages need pip install '.[app]'")
pytest.importorskip("playwright.sync_api", reason="driving a browser needs pip install playwright")

from playwright.sync_api import expect

from crowdcount import count, count_zones, load_dataset, read_ground, read_zones
from crowdcount.annotating.desk import Desk
from crowdcount.annotating.folder import Entry, Folder
from crowdcount.annotating.page import make_page
from crowdcount.counting.doubts import Doubt, find_doubts
from crowdcount.counting.results import COLUMNS
from crowdcount.counting.scale import Look, disagreement
from crowdcount.counting.turned import on_its_side
from crowdcount.counting.words import dense, span, whole
from crowdcount.counting.zone_records import zone_columns
from crowdcount.data import images, overlay_files
from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.tiff import _of_pages
from crowdcount.errors import DataError, PictureError
from crowdcount.web.app import make_app
from crowdcount.web.bodies import MOST_BYTES
from crowdcount.web.parts import static_file, texts
from crowdcount.web.serve import listen, server_of

WIDTHS = {1280: 860, 390: 844}
PATIENCE = 60_000  # milliseconds: another program may have the processor


@contextmanager
def serving(app):
    listener = listen("127.0.0.1", 0)
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def app(weights):
    with serving(make_app(weights)) as address:
        yield address


@pytest.fixture(params=WIDTHS)
def page(request, browser):
    """A page that must not fail, and must ask nobody but our server."""
    context = browser.new_context(viewport={"width": request.param, "height": WIDTHS[request.param]}, locale="en-US")
    opened, faults, asked = context.new_page(), [], []
    opened.set_default_timeout(PATIENCE)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if "Security Policy" in message.text else None)
    opened.on("request", lambda sent: asked.append(sent.url))
    yield opened
    context.close()
    assert not faults
    assert all(url.startswith(("http://127.0.0.1:", "blob:http://127.0.0.1:", "data:")) for url in asked)


@pytest.fixture
def photo(tmp_path, rng):
    path = tmp_path / "square.png"
    Image.fromarray(rng.integers(0, 256, (120, 160, 3), np.uint8)).save(path)
    return path


def fits(page):
    """Whether the page can be read without scrolling sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def on_picture(page, x, y, size=(160, 120)):
    """Where a place of the picture lies on the screen, when the whole picture is shown."""
    box = page.locator(".cc-marks").bounding_box()
    scale = min(box["width"] / size[0], box["height"] / size[1])
    left = box["x"] + (box["width"] - size[0] * scale) / 2
    top = box["y"] + (box["height"] - size[1] * scale) / 2
    return left + x * scale, top + y * scale


def click_zone(page, corners):
    """The corners of a new zone; it is still open."""
    page.click("[data-mode=zone]")
    page.locator(".cc-marks").scroll_into_view_if_needed()
    for corner in corners:
        page.mouse.click(*on_picture(page, *corner))


def saved(page, button):
    with page.expect_download(timeout=PATIENCE) as waiting:
        page.click(button)
    with open(waiting.value.path(), "rb") as file:
        return file.read()


# --- crowdcount app -----------------------------------------------------------------------------------------


def drop(page, path):
    """Let go of a file over the page, as with the mouse."""
    script = """([name, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
        return transfer;
    }"""
    transfer = page.evaluate_handle(script, [path.name, list(path.read_bytes())])
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})


def test_from_a_dropped_picture_to_number_zone_table_and_report(page, app, photo, weights):
    page.goto(app)
    assert fits(page)
    expected = count(photo, model=weights)
    drop(page, photo)
    expect(page.locator("#number")).to_have_text(whole(expected.count), timeout=PATIENCE)
    expect(page.locator("#notes")).to_contain_text(expected.warnings[0])
    assert fits(page)

    corners = [[40, 30], [120, 30], [120, 90], [40, 90]]
    click_zone(page, corners)
    page.click("#actions button:first-child")  # close the zone
    field = page.locator("#zones input")
    expect(field).to_have_value("zone 1")
    # Counted first: the table is made anew then, and what is selected in the field no longer is.
    expect(page.locator("#zones td.figure")).not_to_have_text("…", timeout=PATIENCE)
    field.fill("stage, left")
    field.press("Enter")
    expect(page.locator("#zones td.figure")).not_to_have_text("…", timeout=PATIENCE)

    header, row = csv.reader(io.StringIO(saved(page, "#csv").decode("utf-8-sig")))
    table = dict(zip(header, row))
    assert header == [*COLUMNS, "zone stage, left", "low stage, left", "high stage, left"]
    assert table["picture"] == "square.png"
    assert float(table["count"]) == pytest.approx(expected.count, abs=2e-3)
    zone = read_zones([{"name": "z", "polygon": corners}])
    people = count_zones(expected.density, zone, (120, 160))["z"]
    # A click is exact to about a pixel of the screen.
    assert float(table["zone stage, left"]) == pytest.approx(people, rel=0.05)
    report = saved(page, "#report").decode()
    assert "square.png" in report and "stage, left" in report and "data:image/jpeg" in report


def test_a_report_that_cannot_be_had_is_told(page, app, photo):
    page.goto(app)
    drop(page, photo)
    expect(page.locator("#number")).not_to_have_text("…", timeout=PATIENCE)
    expect(page.locator("#report")).to_be_enabled(timeout=PATIENCE)
    page.route("**/api/report", lambda route: route.abort())
    page.click("#report")
    expect(page.locator("#progress")).to_contain_text("does not answer", timeout=PATIENCE)
    page.unroute("**/api/report")
    page.evaluate("HTMLCanvasElement.prototype.toDataURL = () => `data:image/jpeg;base64,${'A'.repeat(2 ** 25)}`")
    page.click("#report")
    expect(page.locator("#progress")).to_contain_text("too many photos for a report", timeout=PATIENCE)


def test_nothing_of_a_count_stays_where_another_network_could_not_count(page, app, photo):
    """The row of the error had people in its zones, and the heat map that was left stopped the drawing of the rest."""
    page.goto(app)
    drop(page, photo)
    expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    click_zone(page, [[40, 30], [120, 30], [120, 90]])
    page.keyboard.press("Enter")
    expect(page.locator("#zones td.figure")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    page.route("**/api/count*", lambda route: route.abort())
    page.select_option("#model", "light")
    expect(page.locator("#number")).to_have_text("–", timeout=PATIENCE)
    expect(page.locator("#zones td.figure")).to_have_text("–")
    expect(page.locator("#rows .thumb canvas")).to_have_count(0)
    # The picture and the zone are drawn all the same.
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector(".cc-marks");
            return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
        }"""
    )


def test_zones_have_ranges_and_no_number_is_finer_than_its_range(page, photo, ranged_weights):
    """As the terminal and the report tell them."""
    expected = count(photo, model=ranged_weights)
    ends = expected.low, expected.high
    with serving(make_app(ranged_weights)) as address:
        page.goto(address)
        drop(page, photo)
        expect(page.locator("#number")).to_have_text(whole(expected.count, *ends), timeout=PATIENCE)
        expect(page.locator("#range")).to_contain_text(f"{whole(ends[0], *ends)} and {whole(ends[1], *ends)}")
        assert whole(ends[1], *ends) != f"{round(ends[1]):,}", "the range is too narrow to see it"
        drop(page, photo)
        twice = [2 * end for end in ends]
        expect(page.locator("#total")).to_contain_text(
            f"{whole(twice[0], *twice)}–{whole(twice[1], *twice)}", timeout=PATIENCE
        )

        click_zone(page, [[10, 10], [150, 10], [150, 110], [10, 110]])
        page.click("#actions button:first-child")  # close the zone
        expect(page.locator("#zones th.figure")).to_have_text(["people", "range"], timeout=PATIENCE)
        header, *rows = csv.reader(io.StringIO(saved(page, "#csv").decode("utf-8-sig")))
        (table,) = (row for row in (dict(zip(header, cells)) for cells in rows) if row["zone zone 1"])
        zone = [float(table[f"{start} zone 1"]) for start in ("low", "high")]
        people = whole(float(table["zone zone 1"]), *zone)
        expect(page.locator("#zones td.figure")).to_have_text(
            [people, f"{whole(zone[0], *zone)}–{whole(zone[1], *zone)}"]
        )
        assert span(*zone) in saved(page, "#report").decode()
        assert fits(page)


def test_numbers_and_names_are_told_as_python_tells_them(page, app, photo):
    page.goto(app)
    drop(page, photo.rename(photo.with_name("=1+1.png")))
    expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    _, row = csv.reader(io.StringIO(saved(page, "#csv").decode("utf-8-sig")))
    assert row[0] == "./=1+1.png"
    script = "async (people) => (await import('/static/dom.js')).Texts.prototype.whole.call({n: String}, people, {})"
    for people in (0.4, 99.4, 104.0, 1389.2, 23_456.0):
        assert page.evaluate(script, people) == whole(people).replace(",", "")
    speak = """async ([all, code, work, told]) => {
        const words = new (await import('/static/dom.js')).Texts(all);
        words.use(code);
        return words[work](told);
    }"""
    for per_m2 in (2.344, 0.144, 0.00168, 0.00001, 0):
        assert page.evaluate(speak, [texts(), "en", "dense", per_m2]) == dense(per_m2)
    # In German 1,400 is less than two.
    assert "1.400 statt 12.000 Menschen" in page.evaluate(
        speak, [texts(), "de", "sentence", disagreement(12_000.0, 1400.0, None, None)]
    )
    side = texts()["en"]["warning.side"].replace("{times}", "2.5")
    assert "2,5-mal" in page.evaluate(speak, [texts(), "de", "sentence", side])


def test_a_photo_that_comes_before_the_page_is_ready_is_counted(page, app, photo):
    held = []
    page.route("**/texts", lambda route: held.append(route))
    page.goto(app)
    page.set_input_files("#files", str(photo))
    page.wait_for_timeout(200)
    held[0].continue_()
    expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)


def test_a_folder_is_counted_without_its_overlays_and_small_copies(page, app, photo):
    folder = photo.parent / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.png"):
        Image.open(photo).save(folder / name)
    overlay_files.save(Image.open(photo), folder / "b_overlay.png")
    (folder / "notes.txt").write_text("no picture")
    for within in ("@eaDir", ".small", "day 2"):
        (folder / within).mkdir()
        Image.open(photo).save(folder / within / f"{within[-3:]}.jpg")
    page.goto(app)
    page.set_input_files("#folder", str(folder))
    expect(page.locator("#rows .pick")).to_have_count(3, timeout=PATIENCE)
    names = ["photos/a.jpg", "photos/b.png", "photos/day 2/y 2.jpg"]
    assert sorted(page.locator("#rows .pick").all_inner_texts()) == names
    expect(page.locator("#total td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    expect(page.locator("#progress")).to_be_empty(timeout=PATIENCE)
    table = csv.DictReader(io.StringIO(saved(page, "#csv").decode("utf-8-sig")))
    assert sorted(row["picture"] for row in table) == names, "as the command writes them"


def test_who_goes_by_keys_stays_where_he_is(page, app, photo):
    """Each list is made anew with each change in it."""
    page.goto(app)
    other = photo.with_name("other.png")
    other.write_bytes(photo.read_bytes())
    page.set_input_files("#files", [str(photo), str(other)])
    expect(page.locator("#total td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    page.focus("#rows tr:nth-child(2) .pick")
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_have_text("other.png")
    expect(page.locator("#rows tr:nth-child(2) .pick")).to_be_focused()
    expect(page.locator("#rows tr:nth-child(2) .pick")).to_have_attribute("aria-current", "true")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows tr:nth-child(1) .remove")).to_be_focused()
    page.click("[data-mode=dots]")
    page.click("#actions button:has-text('Remove all')")
    page.locator(".cc-marks").scroll_into_view_if_needed()
    for x in (20, 60):
        page.mouse.click(*on_picture(page, x, 20))
    undo = page.locator("#actions button:has-text('Undo')")
    undo.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#actions strong")).to_have_text("1 dot")
    expect(undo).to_be_focused()


def test_a_photo_that_cannot_be_shown_does_not_take_the_place_of_the_next_one(page, app, photo, tmp_path):
    """The browser may tell it when the next one is on the stage already."""
    (tmp_path / "slow.png").write_bytes(photo.read_bytes())
    page.goto(app)
    page.set_input_files("#files", [str(photo), str(tmp_path / "slow.png")])
    expect(page.locator("#total td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    page.evaluate(
        """() => {
            const decode = window.createImageBitmap;
            const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));
            window.createImageBitmap = async (...given) => {
                if (given[0]?.name !== "slow.png") return wait(600).then(() => decode(...given));
                await wait(300);
                throw new Error("no picture");
            };
        }"""
    )
    page.click("#rows tr:nth-child(2) .pick")
    page.click("#rows tr:nth-child(1) .pick")
    page.wait_for_timeout(1200)
    assert page.evaluate(
        """() => {
            const canvas = document.querySelector(".cc-picture");
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.some((value) => value > 0);
        }"""
    )


def test_photos_that_are_passed_by_do_not_stay_in_the_memory(page, app, photo):
    page.goto(app)
    page.set_input_files("#files", [str(photo)] * 3)
    expect(page.locator("#rows tr:nth-child(3) td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    page.evaluate(
        """() => {
            const decode = window.createImageBitmap;
            window.made = [];
            window.createImageBitmap = async (...given) => {
                await new Promise((resolve) => setTimeout(resolve, 200));
                window.made.push(await decode(...given));
                return window.made.at(-1);
            };
            for (const row of document.querySelectorAll("#rows tr")) row.click();
        }"""
    )
    page.wait_for_timeout(1000)
    kept, made = page.evaluate("[made.filter(({ width }) => width).length, made.length]")  # one that is closed has none
    assert (kept, made) == (1, 3)


def test_who_leaves_the_page_is_asked_where_dots_by_hand_are_not_saved(page, app, photo):
    page.goto(app)
    page.set_input_files("#files", str(photo))
    expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.click("[data-mode=dots]")
    page.locator(".cc-marks").scroll_into_view_if_needed()
    page.mouse.click(*on_picture(page, 20, 20))
    page.click(".brand")
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    expect(page.locator("#actions strong")).to_contain_text("dot")
    page.click("#rows .remove")  # next to a name, and the dots would be gone with the row
    assert asked.pop() == "confirm"
    expect(page.locator("#rows tr")).to_have_count(1)
    saved(page, "#actions button:has-text('Save the dots')")
    page.click(".brand")
    expect(page.locator("#welcome")).to_be_visible(timeout=PATIENCE)
    assert len(asked) == 1


def test_a_file_that_is_no_picture_is_told_and_the_next_one_counted(page, app, photo, tmp_path, weights):
    (tmp_path / "notes.png").write_text("no picture")
    page.goto(app)
    page.set_input_files("#files", [str(tmp_path / "notes.png"), str(photo)])
    expect(page.locator("#notes .cc-error")).to_contain_text("notes.png", timeout=PATIENCE)
    people = f"{round(count(photo, model=weights).count):,}"
    expect(page.locator("#rows tr").nth(1)).to_contain_text(people, timeout=PATIENCE)
    page.click("#rows tr:nth-child(2) .pick")
    expect(page.locator("#number")).to_have_text(people)
    page.click("#rows tr:nth-child(1) .pick")
    # Nothing of the picture that was shown before stays on the stage.
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector(".cc-picture");
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.every((value) => value === 0);
        }"""
    )
    page.click("#rows tr:nth-child(1) .remove")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.set_input_files("#files", {"name": "film.mp4", "mimeType": "video/mp4", "buffer": b"ftyp"})
    expect(page.locator("#notes .cc-error")).to_contain_text("This is a video")


def test_what_a_table_lacks_is_told_on_a_phone_too(page, app, photo, tmp_path):
    """On a narrow screen no row told why it was not counted, and the sum of the others was that of all photos."""
    (tmp_path / "empty.jpg").write_bytes(b"")
    page.goto(app)
    page.select_option("#language", "de")
    page.set_input_files("#files", [str(photo), str(photo), str(tmp_path / "empty.jpg")])
    expect(page.locator("#total td").nth(1)).to_have_text("2 von 3 Fotos zusammen", timeout=PATIENCE)
    told = page.locator("#rows tr:nth-child(3) .wrong").filter(visible=True)
    expect(told).to_have_count(1)
    expect(told).to_have_text(texts()["de"]["reason.empty"])  # it was to be saved as JPEG
    assert fits(page)
    page.click("#rows tr:nth-child(1) .remove")
    page.click("#rows tr:nth-child(2) .remove")
    expect(page.locator("#total")).to_be_empty()


def test_a_choice_that_brings_no_photo_is_told(page, app, photo, tmp_path):
    """Nothing happened."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no picture")
    page.goto(app)
    page.set_input_files("#folder", str(tmp_path / "texts"))
    expect(page.get_by_role("alert")).to_have_text(texts()["en"]["no_photos"])
    page.select_option("#language", "es")
    expect(page.get_by_role("alert")).to_have_text(texts()["es"]["no_photos"])
    page.route("**/example.jpg", lambda route: route.abort())
    page.click("#example")
    expect(page.get_by_role("alert")).to_have_text(texts()["es"]["error.no_server"])
    page.set_input_files("#files", str(photo))
    expect(page.locator("#said")).to_be_hidden()


def test_the_limit_of_a_server_in_front_is_told(page, app, photo):
    """As nginx's, of 1 MB where nobody says another: it asked whether crowdcount was still running."""
    page.goto(app)
    page.route(
        "**/api/count*", lambda route: route.fulfill(status=413, body="<html>413</html>", content_type="text/html")
    )
    page.set_input_files("#files", str(photo))
    expect(page.locator("#notes .cc-error")).to_have_text(texts()["en"]["error.too_large_between"], timeout=PATIENCE)


def test_zones_that_cannot_be_counted_are_told_in_the_language_and_a_full_line_is_waited_for(page, app, photo):
    page.goto(app)
    page.select_option("#language", "de")
    page.set_input_files("#files", str(photo))
    expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    full, retry = {"error": "The line is full.", "code": "busy"}, {"retry-after": "1"}
    page.route("**/api/zones", lambda route: route.fulfill(status=503, json=full, headers=retry), times=1)
    click_zone(page, [[40, 30], [120, 30], [120, 90], [40, 90]])
    page.keyboard.press("Enter")
    expect(page.locator("#zones td.figure")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    click_zone(page, [[10, 20], [30, 100], [30, 20], [10, 100]])
    page.keyboard.press("Enter")
    expect(page.locator("#zones .cc-error")).to_contain_text("Die Zone 'Zone 2': Ihr Rand", timeout=PATIENCE)
    expect(page.locator("#zones td.figure").first).to_have_text("–")  # and not "…", as if it were still counted
    (row,) = csv.DictReader(io.StringIO(saved(page, "#csv").decode("utf-8-sig")))
    assert row["count"] and not row["zone Zone 1"] and "crosses itself" in row["error"]
    assert "crosses itself" in saved(page, "#report").decode()
    page.route("**/api/zones", lambda route: route.abort())
    page.click("#zones .remove >> nth=1")
    expect(page.locator("#zones .cc-error")).to_have_text(texts()["de"]["error.no_server"], timeout=PATIENCE)


def test_a_picture_that_the_browser_cannot_show_has_its_heat_map_and_zones(page, app, photo, weights):
    """Its stage was a pixel wide and high: the heat map was one color, and zones drawn on it held nobody."""
    scan = photo.with_suffix(".tif")
    Image.open(photo).save(scan)
    expected = count(scan, model=weights)
    page.goto(app)
    page.set_input_files("#files", str(scan))
    expect(page.locator("#number")).to_have_text(whole(expected.count), timeout=PATIENCE)
    corners = [[40, 30], [120, 30], [120, 90], [40, 90]]
    click_zone(page, corners)
    page.click("#actions button:first-child")  # close the zone
    expect(page.locator("#zones td.figure")).not_to_have_text("…", timeout=PATIENCE)
    header, row = csv.reader(io.StringIO(saved(page, "#csv").decode("utf-8-sig")))
    people = count_zones(expected.density, read_zones([{"name": "z", "polygon": corners}]), (120, 160))["z"]
    assert float(dict(zip(header, row))["zone zone 1"]) == pytest.approx(people, rel=0.05)


def test_ground_points_give_people_per_square_meter_and_dots_are_counted_by_hand(page, app, photo):
    page.goto(app)
    page.set_input_files("#files", str(photo))
    expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    click_zone(page, [[40, 30], [120, 30], [120, 90]])
    page.keyboard.press("Enter")
    page.click("[data-mode=ground]")
    for corner in ([20, 100], [140, 100], [120, 20], [40, 20]):
        page.mouse.click(*on_picture(page, *corner))
    page.fill("#actions input >> nth=0", "12")
    page.fill("#actions input >> nth=1", "20")
    expect(page.locator("#zones")).to_contain_text("per m²", timeout=PATIENCE)
    # Four points on a line fix no ground: that is told, and the people stay.
    page.click("#actions button")
    for corner in ([20, 100], [60, 100], [100, 100], [140, 100]):
        page.mouse.click(*on_picture(page, *corner))
    expect(page.locator("#zones .cc-error")).to_contain_text("ground points lie on one line", timeout=PATIENCE)
    expect(page.locator("#zones td.figure").first).to_have_text(re.compile("[0-9]"))
    page.select_option("#language", "de")  # it was told in English in all languages
    expect(page.locator("#zones .cc-error")).to_have_text(texts()["de"]["reason.ground_line"])
    page.select_option("#language", "en")

    page.click("[data-mode=dots]")
    page.click("#actions button:nth-of-type(3)")  # remove all
    expect(page.locator("#actions strong")).to_have_text("0 dots")
    page.mouse.click(*on_picture(page, 10, 10))
    page.mouse.click(*on_picture(page, 150, 110))
    expect(page.locator("#actions strong")).to_have_text("2 dots")
    lines = saved(page, "#actions button:last-child").decode().split("\r\n")
    assert lines[0] == "picture,x,y" and len(lines) == 4
    assert [float(value) for value in lines[1].split(",")[1:]] == pytest.approx([10, 10], abs=1)
    page.click("#actions button:nth-of-type(1)")  # take back the second
    expect(page.locator("#actions strong")).to_have_text(re.compile("^1 "))
    # In a large picture readers would ask whether small numbers are percent.
    assert saved(page, "#actions button:last-child").decode().startswith("picture,x (px),y (px)\r\n")


def test_ground_points_in_the_upper_left_of_a_photo_are_pixels(page, app, tmp_path, rng):
    """Within 100 pixels they were taken for percent, and refused."""
    size = (320, 304)
    Image.fromarray(rng.integers(0, 256, (*reversed(size), 3), np.uint8)).save(tmp_path / "square.png")
    page.goto(app)
    page.set_input_files("#files", str(tmp_path / "square.png"))
    expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    page.click("[data-mode=ground]")
    page.locator(".cc-marks").scroll_into_view_if_needed()
    for corner in ([5, 95], [95, 95], [80, 15], [20, 15]):
        page.mouse.click(*on_picture(page, *corner, size))
    page.fill("#actions input >> nth=0", "12")
    page.fill("#actions input >> nth=1", "20")
    page.click("[data-mode=zone]")
    for corner in ([150, 60], [250, 60], [200, 200]):
        page.mouse.click(*on_picture(page, *corner, size))
    page.keyboard.press("Enter")
    expect(page.locator("#zones tbody td.figure")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator("#zones .cc-error")).to_have_count(0)


def test_dots_by_hand_that_come_before_the_count_stay(page, app, photo):
    held = []
    page.route("**/api/count*", lambda route: held.append(route))
    page.goto(app)
    page.set_input_files("#files", [str(photo), str(photo)])
    page.click("[data-mode=dots]")
    page.locator(".cc-marks").scroll_into_view_if_needed()
    page.mouse.click(*on_picture(page, 20, 20))
    expect(page.locator("#actions strong")).to_have_text("1 dot")
    for route in list(held):
        route.continue_()
    page.unroute("**/api/count*")
    expect(page.locator("#total td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    page.click("#rows tr:nth-child(2) .pick")
    page.click("#rows tr:nth-child(1) .pick")
    _, dot, end = saved(page, "#actions button:last-child").decode().split("\r\n")
    assert [float(value) for value in dot.split(",")[1:]] == pytest.approx([20, 20], abs=1) and end == ""


def count_twice_and_remove_dots(page, address, photo):
    """Count a photo that is chosen twice, and take away the model's dots of the first."""
    page.goto(address)
    page.set_input_files("#files", [str(photo), str(photo)])
    expect(page.locator("#total td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    page.click("[data-mode=dots]")
    page.click("#actions button:has-text('Remove all')")
    page.locator(".cc-marks").scroll_into_view_if_needed()


def test_dots_by_hand_stay_where_another_model_counts(page, app, photo):
    count_twice_and_remove_dots(page, app, photo)
    page.mouse.click(*on_picture(page, 20, 20))
    expect(page.locator("#actions strong")).to_have_text("1 dot")
    page.select_option("#model", "light")
    expect(page.locator("#total td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    page.click("#rows tr:nth-child(2) .pick")
    page.click("#rows tr:nth-child(1) .pick")
    expect(page.locator("#actions strong")).to_have_text("1 dot")


def test_dots_can_be_taken_back_after_another_photo_was_looked_at(page, app, photo):
    count_twice_and_remove_dots(page, app, photo)
    for x in (20, 60):
        page.mouse.click(*on_picture(page, x, 20))
    expect(page.locator("#actions strong")).to_have_text("2 dots")
    undo = page.locator("#actions button:has-text('Undo')")
    page.click("#rows tr:nth-child(2) .pick")
    expect(undo).to_be_disabled()
    page.click("#rows tr:nth-child(1) .pick")
    for left in ("1 dot", "0 dots"):
        undo.click()
        expect(page.locator("#actions strong")).to_have_text(left)


def test_a_file_that_is_larger_than_the_server_takes_is_told_and_not_sent(page, app, photo, tmp_path):
    """A server in front of ours tells the page no reason: it asked whether crowdcount was still running."""
    large = tmp_path / "large.png"
    large.write_bytes(photo.read_bytes())
    os.truncate(large, MOST_BYTES + 1)
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(app)
    page.set_input_files("#files", [str(large), str(photo)])
    expect(page.locator("#rows tr:nth-child(2) td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    expect(page.locator("#notes .cc-error")).to_contain_text("64 MB are the most")
    assert not any("large.png" in url for url in sent)


def test_the_page_works_below_a_folder_of_another_server(page, photo, weights):
    """As behind a reverse proxy that shows it at /crowd/."""
    app = make_app(weights, token="a token that nobody guesses")

    async def below(scope, receive, send):
        if scope["type"] == "http":
            assert scope["path"].startswith("/crowd/")
            scope = {**scope, "path": scope["path"].removeprefix("/crowd"), "raw_path": None}
        await app(scope, receive, send)

    with serving(below) as address:
        page.goto(f"{address}crowd/?token=a%20token%20that%20nobody%20guesses")
        assert page.url == f"{address}crowd/"
        page.set_input_files("#files", str(photo))
        expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
        (cookie,) = page.context.cookies()
        assert cookie["path"] == "/crowd", "another program at this address does not get the token"
        page.click(".brand")
        page.click("#example")
        expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)


def test_a_photo_that_is_gone_or_too_large_for_the_memory_stops_no_other(page, app, photo, tmp_path):
    held = []
    page.route("**/api/count*", lambda route: held.append(route))
    page.goto(app)
    gone = tmp_path / "gone.png"
    gone.write_bytes(photo.read_bytes())
    page.set_input_files("#files", [str(photo), str(gone), str(photo)])
    expect(page.locator("#rows tr")).to_have_count(3, timeout=PATIENCE)
    gone.unlink()
    # The first heat map that is decoded finds no memory.
    page.evaluate(
        """() => {
            const decode = window.createImageBitmap;
            window.createImageBitmap = (...given) => {
                if (given[0] instanceof File) return decode(...given);
                window.createImageBitmap = decode;
                return Promise.reject(new Error("no memory"));
            };
        }"""
    )
    for route in list(held):
        route.continue_()
    page.unroute("**/api/count*")
    expect(page.locator("#rows tr:nth-child(3) td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    expect(page.locator("#rows tr:nth-child(1)")).to_contain_text("Something went wrong")
    expect(page.locator("#rows tr:nth-child(2)")).to_contain_text("cannot be read any more")


def test_the_sides_of_the_ground_are_those_of_the_photo_that_is_shown(page, app, photo):
    """Those of the photo before stood there, and nobody per square meter came of them."""
    page.goto(app)
    for number in range(2):
        page.set_input_files("#files", str(photo))
        expect(page.locator("#rows tr")).to_have_count(number + 1)
    page.click("[data-mode=ground]")
    fields = page.locator("#actions input")
    fields.nth(0).fill("12")
    expect(fields.nth(0)).to_be_focused()
    page.click("#rows tr:nth-child(1) .pick")
    expect(fields.nth(0)).to_have_value("")
    page.click("#rows tr:nth-child(2) .pick")
    expect(fields.nth(0)).to_have_value("12")


def test_zones_and_ground_points_are_drawn_by_the_keys_alone(page, app, photo):
    page.goto(app)
    page.set_input_files("#files", str(photo))
    expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)

    def draw(mode, *arrows):
        """Choose what to draw, set a point, go on by some arrows, and so on."""
        page.locator(f"[data-mode={mode}]").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".cc-marks")).to_be_focused()
        for arrow in arrows:
            page.keyboard.press("Enter")
            for _ in range(4):
                page.keyboard.press(arrow)

    draw("zone", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp")
    page.keyboard.press("Enter")  # at the first corner, which closes the zone
    expect(page.locator("#zones input")).to_have_value("zone 1")
    draw("ground", "ArrowRight", "ArrowRight")
    page.keyboard.press("Backspace")  # the second, which is set farther to the right
    for key in ("Enter", *["ArrowDown"] * 4, "Enter", *["ArrowLeft"] * 8, "Enter"):
        page.keyboard.press(key)  # the fourth leads to the sides
    for length in ("12", "20"):
        page.keyboard.type(length)
        page.keyboard.press("Tab")
    expect(page.locator("#zones")).to_contain_text("per m²", timeout=PATIENCE)


def test_the_page_speaks_each_language_and_can_be_written_from_right_to_left(page, app):
    page.goto(app)
    for code, words in texts().items():
        page.select_option("#language", code)
        expect(page.locator("h1")).to_have_text(words["welcome"])
        assert page.evaluate("document.documentElement.lang") == code
        assert fits(page)
    mirrored = {**texts(), "ar": {**texts()["en"], "name": "mirrored", "dir": "rtl"}}
    page.route("**/texts", lambda route: route.fulfill(json=mirrored))
    page.goto(app)
    page.select_option("#language", "ar")
    assert page.evaluate("document.documentElement.dir") == "rtl" and fits(page)
    brand, language = page.locator(".brand").bounding_box(), page.locator("#language").bounding_box()
    assert brand["x"] > language["x"]


def test_the_page_names_no_option_of_a_command(page, app):
    page.goto(app)
    script = """async (sentences) => {
        const { Texts } = await import("/static/dom.js");
        const texts = new Texts(await (await fetch("/texts")).json());
        return sentences.map((sentence) => texts.sentence(sentence));
    }"""
    told = page.evaluate(script, [_of_pages(3, 1), _of_pages(3, (0, 1)), texts()["en"]["warning.animation"]])
    assert told == [
        "The file has 3 pages, and page 2, the largest, was taken.",
        "The file has 3 pages, and one of them, the largest, was taken.",
        "The file is an animation, and its first frame was taken.",
    ]


@pytest.mark.parametrize("language", ["de", "en"])
def test_large_crowds_and_names_of_zones_fit_on_a_phone(page, app, photo, language):
    page.goto(app)
    page.select_option("#language", language)
    page.set_input_files("#files", [str(photo), str(photo)])
    expect(page.locator("#total td.figure").first).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    click_zone(page, [[40, 30], [120, 30], [120, 90], [40, 90]])
    page.click("#actions button:first-child")  # close the zone
    expect(page.locator("#zones td.figure")).not_to_have_text("…", timeout=PATIENCE)
    page.evaluate(
        """() => {
            for (const row of document.querySelectorAll("#rows tr, #total tr")) {
                const [count, range] = row.querySelectorAll(".figure");
                [count.textContent, range.textContent] = ["24,000", "18,000–30,000"];
            }
            const people = document.querySelector("#zones td.figure");
            people.textContent = "24,000";
            for (const text of ["18,000–30,000", "0.13"])
                people.after(Object.assign(people.cloneNode(), { className: "figure cc-soft", textContent: text }));
        }"""
    )
    assert fits(page)
    for place in ("#list", "#zones"):
        ends = [page.locator(part).bounding_box() for part in (place, f"{place} table")]
        assert ends[1]["x"] + ends[1]["width"] < ends[0]["x"] + ends[0]["width"], place
    assert page.locator("#zones input").bounding_box()["width"] > 60


def test_a_frame_costs_what_the_screen_has_in_pixels_not_the_picture(page, app):
    page.goto(app)
    script = """async () => {
        const {Stage} = await import("/static/stage.js");
        const large = new OffscreenCanvas(5472, 3648);
        large.getContext("2d").fillRect(0, 0, 9, 9);
        const stage = new Stage();
        stage.element.style.height = "400px";
        document.body.prepend(stage.element);
        await stage.show(await large.convertToBlob({type: "image/jpeg"}), 5472, 3648);
        const screen = stage.element.clientWidth * 400;
        const read = [];
        for (const factor of [1, 2, 3, 5, 8]) {
            stage.fit();
            stage.zoom(factor);
            stage.pan(3, 3);
            stage.paint();
            read.push(stage.drawn / screen);
        }
        const place = stage.toPicture(stage.toScreen([1234.5, 987.6]));
        stage.element.remove();
        return [Math.max(...read), place];
    }"""
    most, place = page.evaluate(script)
    assert most < 4.5  # a half would not be fine enough, or it would be drawn
    assert place == [1234.5, 987.6]


def test_what_a_finger_has_begun_to_move_goes_back_where_a_second_one_comes(page, app):
    """A dot lay elsewhere then, and was saved nowhere; of a box the frame stayed."""
    page.goto(app)
    script = """async () => {
        const { Stage } = await import("/static/stage.js");
        const { Dots } = await import("/static/dots.js");
        const { Zones } = await import("/static/zones.js");
        const stage = new Stage(), told = [];
        stage.element.style.cssText = "position: fixed; inset: 0";
        document.body.append(stage.element);
        await stage.show(null, 400, 300);
        stage.resized();
        stage.marks.setPointerCapture = () => {}; // which takes no pointer of a script
        const touch = (kind, pointerId, place) => {
            const { left, top } = stage.marks.getBoundingClientRect(), [x, y] = stage.toScreen(place);
            const where = { clientX: left + x, clientY: top + y };
            stage.marks.dispatchEvent(new PointerEvent(kind, { pointerId, pointerType: "touch", ...where }));
        };
        const begin = () => (touch("pointerdown", 1, [100, 100]), touch("pointermove", 1, [160, 100]));
        const pinch = () => (begin(), touch("pointerdown", 2, [300, 200]), touch("pointermove", 2, [310, 200]),
            touch("pointerup", 1, [160, 100]), touch("pointerup", 2, [310, 200]));
        const cut = () => (begin(), touch("pointercancel", 1, [160, 100]));
        const dots = new Dots(stage, (real = true) => told.push(real));
        const zones = new Zones(stage, (whole) => told.push(whole), String);
        const found = [];
        const look = (tool, work, what) => {
            stage.fit();
            stage.tool = tool;
            work();
            found.push(what());
        };
        for (const work of [pinch, cut]) {
            [dots.mode, zones.mode] = ["dot", "zone"];
            dots.load([[100, 100]], []);
            look(dots, work, () => dots.points);
            dots.mode = "box";
            look(dots, work, () => dots.drawing);
            zones.load([{ name: "a", polygon: [[100, 100], [300, 100], [300, 300]] }], []);
            look(zones, work, () => zones.shapes[0].polygon[0]);
            zones.mode = "ground";
            zones.load([], [[100, 100]]);
            look(zones, work, () => zones.ground);
        }
        stage.element.remove();
        return [found, told];
    }"""
    assert page.evaluate(script) == [2 * [[[100, 100]], None, [100, 100], [[100, 100]]], []]


# --- crowdcount annotate --------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path, rng):
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (120, 160, 3), np.uint8)).save(tmp_path / name)
    return tmp_path


@pytest.fixture
def annotating(photos, weights):
    with serving(make_page(Desk(Folder(photos), weights))) as address:
        yield address


def begin(page, address):
    """Open the page, and take away the dots that the model began with."""
    page.goto(address)
    expect(page.locator(".cc-told")).to_contain_text("model's heads", timeout=PATIENCE)
    page.locator(".cc-marks").scroll_into_view_if_needed()
    page.get_by_text("Remove all").click()
    expect(page.locator(".cc-heads")).to_have_text("0 heads")


def settled(page):
    expect(page.locator(".cc-saved")).not_to_contain_text("Saving", timeout=PATIENCE)


def entry_of(folder, name):
    content = json.loads((folder / "points.json").read_text())
    items = [*content["pictures"], *content["unfinished"]]
    return next(item for item in items if item["picture"] == name)


def test_dots_are_placed_moved_deleted_undone_and_lie_in_the_file(page, annotating, photos):
    begin(page, annotating)
    assert fits(page)
    for x, y in ((20, 20), (80, 60), (140, 100)):
        page.mouse.click(*on_picture(page, x, y))
    expect(page.locator(".cc-heads")).to_have_text("3 heads")
    page.mouse.move(*on_picture(page, 80, 60))
    page.mouse.down()
    page.mouse.move(*on_picture(page, 100, 30), steps=6)
    page.mouse.up()
    page.mouse.click(*on_picture(page, 20, 20), button="right")
    expect(page.locator(".cc-heads")).to_have_text("2 heads")
    settled(page)
    np.testing.assert_allclose(entry_of(photos, "a.png")["points"], [[100, 30], [140, 100]], atol=1.5)
    page.keyboard.press("Control+z")  # the deletion
    page.keyboard.press("z")  # and the move
    page.wait_for_timeout(600)
    settled(page)
    np.testing.assert_allclose(entry_of(photos, "a.png")["points"], [[20, 20], [80, 60], [140, 100]], atol=1.5)

    page.keyboard.press("b")
    page.mouse.move(*on_picture(page, 60, 40))
    page.mouse.down()
    page.mouse.move(*on_picture(page, 120, 80), steps=6)
    page.mouse.up()
    expect(page.locator(".cc-heads")).to_have_text("2 heads")  # nothing in the box is counted
    page.keyboard.press("Enter")  # done, next
    expect(page.locator(".cc-name")).to_have_text("b.png", timeout=PATIENCE)
    expect(page.locator(".cc-top")).to_contain_text("1 of 2 done")
    (sample,) = load_dataset("json", photos, split="all")
    assert sample.name == "a.png" and sample.count == 2
    (box,) = entry_of(photos, "a.png")["ignore"]
    np.testing.assert_allclose(box, [[60, 40], [120, 40], [120, 80], [60, 80]], atol=1.5)


def test_what_was_done_can_be_undone_where_its_picture_comes_again(page, annotating, photos):
    """All dots that were removed by mistake were lost with the next picture."""
    begin(page, annotating)
    for x in (20, 60):
        page.mouse.click(*on_picture(page, x, 20))
    page.get_by_text("Remove all").click()
    page.locator(".cc-marks").focus()
    ready = page.locator(".cc-annotator .cc-main")  # keys do nothing before a picture is there
    for key, name in (("n", "b.png"), ("p", "a.png")):
        page.keyboard.press(key)
        expect(page.locator(".cc-name")).to_have_text(name, timeout=PATIENCE)
        expect(ready).to_be_enabled(timeout=PATIENCE)
    undo = page.locator(".cc-tools button:has-text('Undo')")
    expect(undo).to_be_enabled(timeout=PATIENCE)
    undo.click()
    expect(page.locator(".cc-heads")).to_have_text("2 heads")
    settled(page)
    page.wait_for_timeout(600)
    settled(page)
    np.testing.assert_allclose(entry_of(photos, "a.png")["points"], [[20, 20], [60, 20]], atol=1.5)
    # Another tab's change is not taken back.
    page.keyboard.press("n")
    expect(page.locator(".cc-name")).to_have_text("b.png", timeout=PATIENCE)
    expect(ready).to_be_enabled(timeout=PATIENCE)
    elsewhere = Folder(photos)
    elsewhere.save("a.png", Entry([[5.0, 5.0]]), elsewhere.entries()["a.png"].version)
    page.keyboard.press("p")
    expect(page.locator(".cc-heads")).to_have_text("1 head", timeout=PATIENCE)
    expect(undo).to_be_disabled()


def test_all_can_be_done_with_the_keyboard(page, annotating, photos):
    begin(page, annotating)
    page.locator(".cc-marks").focus()
    keys = ["Space", *["ArrowRight"] * 3, "Space", *["ArrowDown"] * 3, "Space", "[", "Alt+ArrowLeft", "]", "Delete"]
    for key in [*keys, "z", "y", "+", "-", "0"]:
        page.keyboard.press(key)
    expect(page.locator(".cc-heads")).to_have_text("2 heads")
    settled(page)
    points = entry_of(photos, "a.png")["points"]
    assert points[0] == pytest.approx([80, 60], abs=0.2)
    page.keyboard.press("n")
    expect(page.locator(".cc-name")).to_have_text("b.png", timeout=PATIENCE)
    expect(page.locator(".cc-told")).to_contain_text("model's heads", timeout=PATIENCE)
    page.keyboard.down("Enter")
    expect(page.locator(".cc-top")).to_contain_text("1 of 2 done", timeout=PATIENCE)
    expect(page.locator(".cc-name")).to_have_text("a.png", timeout=PATIENCE)
    for _ in range(3):  # held too long, it marks no other picture
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    settled(page)
    expect(page.locator(".cc-top")).to_contain_text("1 of 2 done")


def test_the_later_of_two_tabs_is_told_and_shown_what_was_saved(browser, annotating, photos):
    first, second = (browser.new_page(locale="en-US") for _ in range(2))
    for tab in (first, second):
        tab.set_default_timeout(PATIENCE)
    begin(first, annotating)
    settled(first)
    first.mouse.click(*on_picture(first, 20, 20))
    expect(first.locator(".cc-saved")).to_contain_text("Saved", timeout=PATIENCE)
    second.goto(annotating)
    expect(second.locator(".cc-heads")).to_have_text("1 head", timeout=PATIENCE)
    first.mouse.click(*on_picture(first, 50, 50))
    expect(first.locator(".cc-heads")).to_have_text("2 heads")
    first.wait_for_timeout(600)
    settled(first)
    second.mouse.click(*on_picture(second, 140, 100))
    expect(second.locator(".cc-error")).to_contain_text("changed elsewhere", timeout=PATIENCE)
    expect(second.locator(".cc-heads")).to_have_text("2 heads")
    np.testing.assert_allclose(entry_of(photos, "a.png")["points"], [[20, 20], [50, 50]], atol=1.5)
    for tab in (first, second):
        tab.close()


def answering(page, ask, answer):
    """Let a question of the page be answered by `answer(route)`; all others are the server's."""

    def either(route):
        asked = json.loads(route.request.post_data)["ask"] == ask
        return answer(route) if asked else route.continue_()

    page.route("**/api/annotate", either)


def test_dots_by_hand_stay_and_nothing_is_done_before_the_heads_are_there(page, annotating, photos):
    held = []
    answering(page, "heads", held.append)
    page.goto(annotating)
    expect(page.locator(".cc-told")).to_contain_text("looks for heads", timeout=PATIENCE)
    expect(page.locator(".cc-main")).to_be_disabled()
    page.keyboard.press("Enter")  # would say that nobody is there
    expect(page.locator(".cc-name")).to_have_text("a.png")
    page.locator(".cc-marks").scroll_into_view_if_needed()
    page.mouse.click(*on_picture(page, 20, 20))
    expect(page.locator(".cc-heads")).to_have_text("1 head")
    held[0].continue_()
    expect(page.locator(".cc-main")).to_be_enabled(timeout=PATIENCE)
    expect(page.locator(".cc-heads")).to_have_text("1 head")
    page.wait_for_timeout(600)
    settled(page)
    assert json.loads((photos / "points.json").read_text())["pictures"] == []
    np.testing.assert_allclose(entry_of(photos, "a.png")["points"], [[20, 20]], atol=1.5)


def test_what_cannot_be_saved_stays_in_sight(page, annotating, photos):
    begin(page, annotating)
    page.wait_for_timeout(600)
    settled(page)
    full = {"error": "The file cannot be written: the disk is full.", "code": "not_written"}
    answering(page, "save", lambda route: route.fulfill(status=507, json=full))
    page.mouse.click(*on_picture(page, 20, 20))
    page.keyboard.press("n")
    expect(page.locator(".cc-error")).to_contain_text("full", timeout=PATIENCE)
    expect(page.locator(".cc-name")).to_have_text("a.png")
    expect(page.locator(".cc-heads")).to_have_text("1 head")
    page.unroute("**/api/annotate")
    page.keyboard.press("n")
    expect(page.locator(".cc-name")).to_have_text("b.png", timeout=PATIENCE)
    np.testing.assert_allclose(entry_of(photos, "a.png")["points"], [[20, 20]], atol=1.5)


def test_under_the_name_of_a_picture_that_cannot_be_read_no_other_is_dotted(page, annotating, photos):
    (photos / "b.png").write_text("no picture")
    begin(page, annotating)
    page.keyboard.press("n")
    expect(page.locator(".cc-error")).to_contain_text("b.png", timeout=PATIENCE)
    page.mouse.click(*on_picture(page, 20, 20))
    expect(page.locator(".cc-heads")).to_have_text("0 heads")
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector(".cc-picture");
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.every((value) => value === 0);
        }"""
    )
    page.keyboard.press("p")
    expect(page.locator(".cc-name")).to_have_text("a.png", timeout=PATIENCE)
    expect(page.locator(".cc-main")).to_be_enabled(timeout=PATIENCE)


@pytest.mark.parametrize("asked, button", [("folder", None), ("csv", "Download CSV")])
def test_why_there_are_no_pictures_or_no_table_is_told(page, annotating, asked, button):
    broken = {"error": "points.json is not a readable JSON file.", "code": "not_usable"}
    answering(page, asked, lambda route: route.fulfill(status=422, json=broken))
    if button is None:
        page.goto(annotating)
    else:
        begin(page, annotating)
        settled(page)
        page.get_by_text(button).click()
    expect(page.locator(".cc-error")).to_contain_text(broken["error"], timeout=PATIENCE)


def test_who_goes_on_at_once_is_told_of_a_change_elsewhere(page, annotating, photos):
    begin(page, annotating)
    page.wait_for_timeout(600)
    settled(page)
    elsewhere = Folder(photos)
    elsewhere.save("a.png", Entry([[5.0, 5.0]]), elsewhere.entries().get("a.png", Entry()).version)
    page.mouse.click(*on_picture(page, 20, 20))
    page.keyboard.press("n")
    expect(page.locator(".cc-error")).to_contain_text("changed elsewhere", timeout=PATIENCE)
    expect(page.locator(".cc-name")).to_have_text("a.png")
    page.keyboard.press("n")
    expect(page.locator(".cc-name")).to_have_text("b.png", timeout=PATIENCE)


# --- Texts ----------------------------------------------------------------------------------------------------


def test_the_page_and_the_commands_find_the_same_pictures_in_a_folder():
    """On the page a folder's total lacked some in silence, and small copies were counted beside their pictures."""
    script = static_file("counts.js")
    *pictures, folders = re.findall(r'"([^"]+)"\.split', script[: script.index("const OVERLAY")])
    assert {f".{name}" for words in pictures for name in words.split()} == PICTURE_SUFFIXES
    assert set(folders.split()) == images._NOT_MEANT


def test_every_language_says_everything_with_the_same_values():
    def base(key):
        return re.sub(r"\.(zero|one|two|few|many|other)$", "", key)

    english = {base(key): set(re.findall(r"\{\w+\}", text)) for key, text in texts()["en"].items()}
    for code, words in texts().items():
        spoken = {base(key): set(re.findall(r"\{\w+\}", text)) for key, text in words.items()}
        # Python's own sentences on pictures that cannot be read, on zones and on ground points are English.
        pythons = {f"error.{name}" for name in ("not_counted", "zones", "ground")}
        assert pythons <= set(spoken) or code == "en"
        reasons = {key for key in english if key.startswith("reason.")}  # what Python fills in is English, too
        assert all(spoken[key] <= english[key] for key in reasons), code
        same = {key: values for key, values in spoken.items() if key not in pythons | reasons}
        assert same == {key: values for key, values in english.items() if key not in reasons}, code
        assert words["dir"] in ("ltr", "rtl") and all(text.strip() for text in words.values())


def _notes_of_files(templates):
    """The keys of what is said of files, each found in the pages' texts."""
    still, moving = io.BytesIO(), io.BytesIO()
    pages = [Image.new("RGB", size) for size in ((16, 16), (32, 32))]
    pages[0].save(still, "TIFF", save_all=True, append_images=pages[1:])
    pages[0].save(moving, "GIF", save_all=True, append_images=[Image.new("RGB", (16, 16), "red")])
    clear, dim = io.BytesIO(), io.BytesIO()
    Image.fromarray(np.arange(1024, dtype=np.uint8).reshape(16, 16, 4) * np.uint8([1, 1, 1, 0])).save(clear, "PNG")
    Image.fromarray(np.full((16, 16), 900, np.uint16)).save(dim, "PNG")
    files = {"pages": still, "animation": moving, "transparent": clear, "bits": dim}
    said = {"damaged": [images.DAMAGED], "pages_alone": [_of_pages(3, (0, 1))]}
    for name, file in files.items():
        images.load_picture(file, notes=said.setdefault(name, []))
    for name, (sentence,) in said.items():
        pattern = re.sub(r"\\\{\w+\\\}", "(.+)", re.escape(templates[f"warning.{name}"]))
        assert re.fullmatch(pattern, sentence), sentence
    return {f"warning.{name}" for name in said}


def test_every_warning_has_its_words_in_the_pages_texts(rng, monkeypatch):
    noise = rng.integers(0, 256, (256, 256, 3), np.uint8)
    many = np.full((32, 32), 3.0, np.float32)
    pictures = {
        "blank": np.full_like(noise, 90),
        "dark": noise // 5,
        "blurred": np.asarray(Image.fromarray(noise[:32, :32]).resize((256, 256), Image.Resampling.BICUBIC)),
        "small": noise[:64, :64],
        "nobody": noise,
        "crowded": noise,
    }
    templates = {key: text for key, text in texts()["en"].items() if key.startswith("warning.")}
    others = {f"warning.{name}" for name in ("side", "sizes", "sizes_alone", "unknown")}
    assert set(templates) == {*others, *(f"warning.{name}" for name in pictures), *_notes_of_files(templates)}
    assert {f"warning.{doubt.value}" for doubt in Doubt} < set(templates)
    for name, picture in pictures.items():
        side = picture.shape[0] // 8
        density = np.zeros((side, side), np.float32) if name == "nobody" else many[:side, :side]
        pattern = re.sub(r"\\\{\w+\\\}", "(.+)", re.escape(templates[f"warning.{name}"]))
        assert re.fullmatch(pattern, find_doubts(picture, density)[Doubt(name)]), name
    monkeypatch.setattr("crowdcount.counting.turned.predict_density", lambda *_: np.full((32, 32), 9.0))
    for name, *ends in (("sizes", 10.0, 90.0), ("sizes_alone",)):
        pattern = re.sub(r"\\\{\w+\\\}", "(.+)", re.escape(templates[f"warning.{name}"]))
        assert re.fullmatch(pattern, disagreement(50.0, 80.0, *ends)), name
    pattern = re.escape(templates["warning.side"]).replace(r"\{times\}", "(.+)")
    assert re.fullmatch(pattern, on_its_side(None, Look(1.0, noise, many)))


def _reasons_of_files():
    """Messages on files that are no pictures, by the key of their words in the pages' texts."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    whole_ones = {}
    for kind in ("JPEG", "WEBP"):
        noise.save(file := io.BytesIO(), kind)
        whole_ones[kind] = file.getvalue()
    jpeg, webp = whole_ones.values()
    files = {
        "empty": b"",
        "unknown": b"no picture",
        "no_picture": b"<!DOCTYPE html><html>",
        "damaged": jpeg[: len(jpeg) // 2],
        "gray": jpeg[: len(jpeg) // 2] + b"\xff\xd9",
        "zeros": webp[: len(webp) // 2] + bytes(len(webp) - len(webp) // 2),
        "rare": b"\0\0\0\x1cftypavif" + bytes(40),
    }
    for key, data in files.items():
        with pytest.raises(PictureError) as refusal:
            images.load_picture(data)
        yield key, str(refusal.value)


def _reasons_of_zones():
    """Messages on what is drawn badly, by the key of their words in the pages' texts."""
    square = [[10, 10], [100, 10], [100, 100], [10, 100]]
    zones = {
        "crossing": [square, [square[0], square[2], square[1], square[3]]],
        "same_name": [square, square],
        "no_area": [square, [[10, 10], [20, 20], [40, 40]]],
    }
    for key, drawn in zones.items():
        names = ["a", "a" if key == "same_name" else "b"]
        listed = [{"name": name, "polygon": polygon, "unit": "pixels"} for name, polygon in zip(names, drawn)]
        with pytest.raises(DataError) as refusal:
            read_zones(listed, (304, 400))
        yield key, str(refusal.value)

    def ground(corners):
        meters = [[0, 0], [12, 0], [12, 20], [0, 20]]
        return {"unit": "pixels", "points": [[*at, *there] for at, there in zip(corners, meters)]}

    grounds = {
        "ground_line": [[10, 10], [20, 20], [30, 30], [40, 40]],
        "ground_plane": [[10, 10], [20, 20], [30, 30], [80, 40]],
        "ground_order": [square[0], square[2], square[1], square[3]],
    }
    for key, corners in grounds.items():
        with pytest.raises(DataError) as refusal:
            read_ground(ground(corners), (304, 400))
        yield key, str(refusal.value)
    seen = read_ground(ground([[10, 300], [390, 300], [250, 150], [150, 150]]), (304, 400))
    whole_picture = read_zones([{"name": "all", "polygon": [[0, 0], [400, 0], [400, 304], [0, 304]]}], (304, 400))
    yield "horizon", zone_columns(np.ones((38, 50), np.float32), whole_picture, seen, (304, 400))["error"]


def test_every_reason_in_the_pages_texts_is_a_message_of_pythons():
    """A message that is worded anew would be told in English everywhere."""
    told = dict([*_reasons_of_files(), *_reasons_of_zones()])
    templates = {key: text for key, text in texts()["en"].items() if key.startswith("reason.")}
    assert templates.keys() == {f"reason.{key}" for key in told}
    for key, message in told.items():
        fitting = [
            name
            for name, text in templates.items()
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "(.+?)", re.escape(text)), message)
        ]
        assert fitting[:1] == [f"reason.{key}"], message


def test_a_server_that_has_gone_is_told(browser, weights, photo):
    with serving(make_app(weights)) as address:
        tab = browser.new_page(locale="en-US")
        tab.set_default_timeout(PATIENCE)
        tab.goto(address)
        tab.wait_for_selector("#choose")
    time.sleep(0.2)
    tab.set_input_files("#files", str(photo))
    expect(tab.locator("#notes .cc-error")).to_contain_text("does not answer", timeout=PATIENCE)
    tab.close()
