"""The report: one HTML file that needs nothing else, tells the truth, and takes any name for a file."""

import base64
import io
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from crowdcount.counting.report import Entry, entry_of, entry_of_file, write_report
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.data.density import density_map
from crowdcount.data.exif import taken_at

VOID = {"meta", "img", "br"}
SVG_VOID = {"path", "use", "g", "rect"}


class Page(HTMLParser):
    """A page as a browser takes it: its tags with their attributes, its texts, and whether all is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in SVG_VOID
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data.strip())

    def all(self, tag, kind=None):
        return [found for name, found in self.tags if name == tag and kind in (None, found.get("class"))]

    @property
    def text(self):
        return "\n".join(filter(None, self.texts))


@pytest.fixture
def page(tmp_path):
    def page(*entries, **options):
        write_report(tmp_path / "report.html", entries, **options)
        return Page((tmp_path / "report.html").read_text(encoding="utf-8"))

    return page


@pytest.fixture
def photo(tmp_path):
    """Make a picture that was taken at a time, or does not tell."""

    def photo(name="a.jpg", taken=None, size=(800, 600)):
        path = tmp_path / name
        exif = Image.Exif()
        if taken is not None:
            exif.get_ifd(0x8769)[0x9003] = taken
        Image.linear_gradient("L").convert("RGB").resize(size).save(path, exif=exif)
        return path

    return photo


def result_of(path, points=((400, 300),), **options):
    with Image.open(path) as image:
        width, height = image.size
    density = density_map(points, (height, width), sigma=20, stride=8)
    return CountResult(
        float(density.sum()), density, str(path), width, height, "tiny", 0.1, source=str(path), **options
    )


def picture_in(image):
    kind, data = image["src"].split(",", 1)
    assert kind == "data:image/jpeg;base64"
    return base64.b64decode(data)


# --- The page -----------------------------------------------------------------------------------------------


def test_the_page_loads_nothing_and_runs_nothing(page, photo):
    found = page(entry_of(result_of(photo())), CountFailure("b.jpg", "is broken"))
    for tag, attributes in found.tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href"):
                assert value.startswith(("data:", "#"))
            assert "url(" not in (value or "").replace("url(#", "")
    (policy,) = [meta["content"] for meta in found.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'")


def test_it_has_colors_for_light_and_dark(tmp_path):
    dated = [Entry("a.jpg", 5, low=4, high=6, taken=datetime(2026, 5, day)) for day in (1, 2)]
    write_report(tmp_path / "report.html", dated)
    text = (tmp_path / "report.html").read_text()
    light, dark = (
        dict(re.findall(r"(--[\w-]+): (#\w{6});", block)) for block in re.findall(r":root \{(.*?)\}", text, re.S)
    )
    assert '<meta name="color-scheme" content="light dark">' in text and "prefers-color-scheme: dark" in text
    assert set(light) == set(dark) == set(re.findall(r"var\((--[\w-]+)\)", text))
    for colors in (light, dark):
        for ink, ground in (
            *(("--ink", "--card"), ("--ink", "--ground"), ("--soft", "--card"), ("--soft", "--ground")),
            *(("--warning", "--warning-ground"), ("--error", "--error-ground")),
        ):
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)  # WCAG 2.1, AA
        assert contrast(colors["--range"], colors["--card"]) >= 3  # of what is no text


def contrast(one, other):
    """Contrast of two colors by WCAG 2.1."""
    lights = []
    for color in (one, other):
        channels = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_names_and_messages_are_text_and_no_markup(page):
    nasty = "\"><script>alert(1)</script>&amp;'.jpg"
    found = page(
        Entry(
            nasty,
            5,
            taken=datetime(2026, 5, 1, 10),
            model=nasty,
            warnings=[nasty],
            error=nasty,
            zones={nasty: 3.0},
            per_m2={nasty: 0.5},
            thumbnail=b"x",
        ),
        Entry("b.jpg", 6, taken=datetime(2026, 5, 1, 11), heat=False),
        Entry(nasty, error=nasty),
        title=nasty,
    )
    assert not found.all("script")
    # Title (twice), model, tooltip, card (name, warning, error, zone), failure (name, reason).
    texts = "\n".join(found.texts)
    base = nasty.rpartition("/")[2]
    assert texts.count(base) == 10
    assert found.all("img")[0]["alt"].startswith(base)


def test_a_name_that_is_no_unicode_can_be_written(page):
    assert r"caf\udce9.jpg" in page(Entry("caf\udce9.jpg", 5)).text


def test_it_tells_counts_ranges_warnings_failures_and_the_sum(page):
    found = page(
        Entry("day/a.jpg", 1243.6, low=1100.2, high=1400.7, coverage=0.9, warnings=["It is dark."]),
        Entry("b.jpg", 0.7),
        CountFailure("broken.jpg", "It is cut off."),
        title="March",
    )
    text = found.text
    assert "1,240 people" in text and "1,100 to 1,400 (90 % range)" in text
    assert "1 person" in text
    assert "Warning: It is dark." in text
    assert "broken.jpg\nIt is cut off." in text
    tiles = dict(re.findall(r"(.*)\n([\d,]+)\n", text[text.index("Most people") :]))
    assert tiles == {
        "Most people in one picture": "1,240",
        "Sum of all pictures": "1,240",
        "Pictures counted": "2",
        "Not counted": "1",
    }
    assert "no range: some pictures have none; people on several" in text
    assert text.startswith("March\nMarch\n3 pictures")
    assert len(found.all("article")) == 2


def test_the_sum_of_many_sparse_pictures_is_not_nobody(page):
    sparse = [Entry(f"{number}.jpg", 0.5, low=0.0, high=10.0, coverage=0.9) for number in range(94)]
    assert "Sum of all pictures" in page(*sparse).text
    assert re.search(r"Sum of all pictures\s+50\b", page(*sparse).text)


def test_one_result_needs_no_list(tmp_path):
    write_report(tmp_path / "one.html", Entry("a.jpg", 5))
    assert "a.jpg" in (tmp_path / "one.html").read_text()


def test_pictures_that_share_a_name_are_told_with_their_folders(page):
    taken = datetime(2026, 5, 1)
    pictures = ("day 1/a.jpg", 5.0), ("day 2/a.jpg", 7.0), ("day 2/b.jpg", 6.0)
    found = page(*(Entry(name, count, taken=taken + timedelta(hours=count)) for name, count in pictures))
    assert "Most people in one picture\n7\nday 2/a.jpg" in found.text
    assert "day 1/a.jpg, 2026-05-01 05:00: 5" in found.text and "\nb.jpg, 2026-05-01 06:00: 6" in found.text


def test_zones_are_told(page):
    text = page(Entry("a.jpg", 30, zones={"stage": 12.34, "gate": 17.66}, per_m2={"stage": 1.234})).text
    assert "stage\n12\n1.23 per m²\nFruin: standing C, walking E\ngate\n18" in text
    assert "Fruin's level of service" in text
    assert "Fruin" not in page(Entry("a.jpg", 30, zones={"stage": 12.34})).text


def test_sum_and_zones_have_ranges_where_there_is_ground_for_them(page):
    ranges = {"stage": (8.2, 20.9)}
    text = page(
        Entry("a.jpg", 1243.6, low=1100.2, high=1400.7, zones={"stage": 12.3, "gate": 1.0}, zone_ranges=ranges),
        Entry("b.jpg", 700.1, low=600.4, high=900.0),
    ).text
    assert "Sum of all pictures\n1,940\n1,700 to 2,300 if all are off the same way; people on several" in text
    assert "stage\n12\n8 to 21\ngate\n1\n" in text


def test_nothing_at_all_is_a_page_too(page):
    assert "0 pictures" in page().text


def test_a_failure_on_the_way_leaves_what_was_there(tmp_path):
    def results():
        yield Entry("a.jpg", 5)
        raise KeyboardInterrupt

    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_report(path, results())
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


# --- Pictures -----------------------------------------------------------------------------------------------


def test_a_thumbnail_is_small_and_shows_the_heat_where_people_are(page, photo):
    result = result_of(photo(size=(1600, 1200)), points=[(400, 300)] * 5)
    (image,) = page(result).all("img")
    data = picture_in(image)
    assert len(data) < 40_000 and "with its heat map" in image["alt"]
    heat = np.asarray(Image.open(io.BytesIO(data)), float)
    assert heat.shape == (300, 400, 3)
    plain = np.asarray(Image.open(io.BytesIO(entry_of_file(result.picture, 5).thumbnail)), float)
    changed = np.abs(heat - plain).mean(axis=2)
    assert changed[65:85, 90:110].mean() > 30 and changed[150:, 200:].mean() < 3


def test_what_was_counted_earlier_is_shown_without_heat(page, photo):
    found = page(entry_of_file(str(photo()), 5, low=3, high=8))
    (image,) = found.all("img")
    assert "without heat map" in image["alt"] and picture_in(image)
    assert "counted in an earlier run" in found.text and "The colors" not in found.text


def test_a_picture_that_has_gone_is_told_with_its_count(page, photo):
    path = photo()
    result = result_of(path)
    photo(size=(600, 800))  # another one has taken its place: the map is none of this one
    replaced = page(result)
    path.unlink()
    for found in (replaced, page(result), page(entry_of_file(str(path), 1))):
        assert not found.all("img") and "the picture has moved\n1 person" in found.text


def test_a_picture_that_was_an_array_is_shown(page, rng):
    array = rng.integers(0, 255, (64, 80, 3), dtype=np.uint8)
    result = CountResult(1.0, np.full((8, 10), 0.0125, np.float32), "picture", 80, 64, "tiny", 0.1, source=array)
    assert len(page(result).all("img")) == 1


# --- Time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "taken, expected",
    [
        ("2026:05:01 14:07:09", datetime(2026, 5, 1, 14, 7, 9)),
        ("2026:05:01 14:07:09\0", datetime(2026, 5, 1, 14, 7, 9)),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("yesterday", None),
        ("0001:01:01 00:00:00", None),  # a clock that was never set
        ("9999:12:31 23:59:59", None),
        (None, None),
    ],
)
def test_when_a_picture_was_taken(photo, taken, expected):
    assert taken_at(photo(taken=taken)) == expected


def test_a_photo_above_pillows_limit_of_pixels_tells_its_time(photo, monkeypatch):
    path = photo(taken="2026:05:01 14:07:09")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # as a photo of 180 megapixels meets it
    assert taken_at(path) == datetime(2026, 5, 1, 14, 7, 9)


def test_what_is_no_picture_was_never_taken(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert taken_at(tmp_path / "a.jpg") is None
    assert taken_at(tmp_path / "b.jpg") is None
    assert taken_at(np.zeros((8, 8, 3), np.uint8)) is None


def dots(found):
    """Where the chart's points are: the mark after each link."""
    tags = iter(found.tags)
    marks = [next(mark for name, mark in tags if name == "use") for tag, _ in tags if tag == "a"]
    return [(float(mark["x"]), float(mark["y"])) for mark in marks]


def lines(found, color):
    """The ends of the chart's straight lines of a color, lowest first."""
    paths = [path["d"] for path in found.all("path") if f"stroke: var(--{color})" in path.get("style", "")]
    ends = [np.array(re.findall(r"[ML] (\S+) (\S+)", path), float) for path in paths]
    return [both[np.argsort(-both[:, 1])] for both in ends if len(both) == 2]


def test_the_chart_shows_counts_in_the_order_of_time(page):
    start = datetime(2026, 5, 1, 9, 30)
    found = page(
        *(
            Entry(f"{hours}.jpg", count, low=count / 2, high=count * 2, taken=start + timedelta(hours=hours))
            for hours, count in ((3, 400), (0, 100), (1, 200))
        ),
        Entry("undated.jpg", 900),
    )
    (x0, y0), (x1, y1), (x3, y3) = dots(found)
    assert (x3 - x0) == pytest.approx(3 * (x1 - x0), abs=0.3)
    assert (y0 - y3) == pytest.approx(3 * (y0 - y1), abs=0.3) and y0 > y1 > y3
    bars = lines(found, "range")
    assert len(bars) == 3
    for (_, y), ((_, bottom), (_, top)) in zip(dots(found), bars):
        assert bottom > y > top
    svg = found.text[found.text.index("People by time") :]
    labels = [int(line) for line in svg.split("\n") if re.fullmatch(r"\d+", line)]
    assert labels[0] == 0 and labels[-1] >= 800
    assert "10:00" in svg and "2026-05-01" in svg
    assert "3.jpg, 2026-05-01 12:30: 400, 200 to 800" in svg
    assert "3 of 4 pictures tell" in svg
    # A point leads to its picture's card.
    targets = [link["xlink:href"][1:] for link in found.all("a")]
    assert targets == ["picture-2", "picture-3", "picture-1"]
    assert set(targets) <= {card["id"] for card in found.all("article")}
    # On this page, not on another copy of it; by the keyboard and the ear, too.
    assert not any("target" in link for link in found.all("a"))
    assert [link["aria-label"].split(",")[0] for link in found.all("a")] == ["0.jpg", "1.jpg", "3.jpg"]
    assert [drawn["role"] for drawn in found.all("svg")] == ["group"]


@pytest.mark.parametrize(
    "hours, parts",
    [([9, 10, 11, 12, 33, 34, 35], 2), ([9, 10, 11, 12, 14.5, 15], 1), ([9, 33, 57, 81], 1), ([9, 33], 1)],
)
def test_no_line_of_the_chart_leads_over_a_night(page, hours, parts):
    """As long as most pictures are apart it does: of one picture a day the line leads from day to day."""
    taken = [datetime(2026, 5, 1) + timedelta(hours=hour) for hour in hours]
    found = page(*(Entry(f"{moment}.jpg", 5, low=1, high=9, taken=moment) for moment in taken))
    line = next(path for path in found.all("path") if "stroke: var(--accent)" in path.get("style", ""))
    assert (line["d"].count("M"), line["d"].count("L")) == (parts, len(hours) - parts)
    assert len(dots(found)) == len(lines(found, "range")) == len(hours)


def test_the_chart_stays_in_its_frame(page):
    start = datetime(2026, 12, 31, 23, 59, 58)
    for seconds in (0, 1, 59, 5 * 3600, 10 * 86400, 9000 * 86400):
        for count in (0, 0.4, 101, 123456):
            found = page(
                Entry("a.jpg", 0, low=0, high=0, taken=start),
                Entry("b.jpg", count, low=count / 2, high=count * 1.5, taken=start + timedelta(seconds=seconds)),
            )
            (svg,) = found.all("svg")
            _, _, width, height = map(float, svg["viewbox"].split())
            places = [(float(text["x"]), float(text["y"])) for text in found.all("text")]
            assert all(0 < x < width and 0 < y < height for x, y in [*dots(found), *places])
            assert 4 <= len(places) <= 25


def test_the_chart_tells_what_was_counted(page):
    taken = datetime(2026, 5, 1)
    counted = (Entry(f"{day}.jpg", 5, taken=taken + timedelta(days=day), thing="cells") for day in (0, 1))
    found = page(CountFailure("broken.jpg", "is broken"), *counted)
    assert "Cells counted" in found.text
    assert "Cells by time" in found.text and "eople" not in found.text.partition("Times are")[0]
    assert found.all("svg")[0]["aria-label"] == "Number of cells by time"


@pytest.mark.parametrize("high, cut", [(9.0, False), (60.0, True)])
def test_bars_that_the_chart_cuts_off_are_told(page, high, cut):
    taken = datetime(2026, 5, 1)
    found = page(*(Entry(f"{day}.jpg", 5, low=0, high=high, taken=taken + timedelta(days=day)) for day in (0, 1)))
    assert ("cut off: the highest goes up to 60" in found.text) == cut and "shows the range" in found.text


def test_without_two_times_there_is_no_chart(page):
    assert not page(Entry("a.jpg", 5, taken=datetime(2026, 5, 1)), Entry("b.jpg", 5)).all("svg")
    failed = Entry("b.jpg", None, taken=datetime(2026, 5, 1), error="broken")
    assert not page(Entry("a.jpg", 5, taken=datetime(2026, 5, 1)), failed).all("svg")
