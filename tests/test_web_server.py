"""The server behind the pages: what it answers programs, whom it refuses, and that it stays up."""

import base64
import errno
import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("uvicorn", reason="the pages need pip install '.[app]'")

from crowdcount import cli, count
from crowdcount.annotating.desk import Desk
from crowdcount.annotating.folder import Folder
from crowdcount.annotating.page import make_page
from crowdcount.counting.words import span
from crowdcount.data.annotations import read_json
from crowdcount.errors import CrowdCountError, DataError
from crowdcount.web import serve
from crowdcount.web.answers import Models, count_in_zones, count_picture, report
from crowdcount.web.app import make_app
from crowdcount.web.guard import allowed_names
from crowdcount.web.line import Line
from crowdcount.web.refusals import Refusal
from crowdcount.web.serve import listen, run as run_server, server_of, token_for

TOKEN = "a token that nobody guesses"
JPEG, JSON = {"Content-Type": "image/jpeg"}, {"Content-Type": "application/json"}


@contextmanager
def serving(app):
    """The port of a server that runs in a thread of this process."""
    listener = listen("127.0.0.1", 0)
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


def ask(port, method, path, body=None, headers=None):
    """(status, headers, content) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        if answer.headers["content-type"] == "application/json":
            content = json.loads(content)
        return answer.status, answer.headers, content
    finally:
        connection.close()


def jpeg(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def port(weights):
    with serving(make_app(weights)) as port:
        yield port


@pytest.fixture(scope="module")
def guarded_port(weights):
    """A server as on the network, with a token. It listens at the loopback all the same: tests open nothing."""
    with serving(make_app(weights, host="0.0.0.0", token=TOKEN)) as port:
        yield port


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (40, 56, 3), np.uint8)


# --- Answers ------------------------------------------------------------------------------------------------


def test_a_picture_is_answered_as_the_command_prints_it(port, picture, weights):
    data = jpeg(picture)
    status, _, record = ask(port, "POST", "/api/count?name=march.jpg", data, JPEG)
    expected = count(data, model=weights)
    assert status == 200
    assert record["picture"] == "march.jpg" and record["model"] == "tiny"
    assert (record["width"], record["height"]) == (56, 40)
    assert record["count"] == pytest.approx(expected.count, abs=1e-3)
    assert record["warnings"] == expected.warnings
    assert "density" not in record and "error" not in record


def test_a_record_has_the_fields_of_the_command_and_all_are_described(port, picture, ranged_weights, tmp_path, capsys):
    path = tmp_path / "march.png"
    Image.fromarray(picture).save(path)
    capsys.readouterr()
    assert cli.main(["count", str(path), "--model", ranged_weights, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    models = Models(ranged_weights)
    record, counted = count_picture(path.read_bytes(), "march.png", models, models.default, 0.9)
    assert counted and list(record) == list(printed) and "low" in printed
    differing = {key for key in printed if record[key] != printed[key]} - {"seconds"}
    assert differing == {"picture", "model"}, "the server names no folder of the machine"
    assert printed["model"] == ranged_weights and record["model"] == models.default
    _, _, described = ask(port, "GET", "/openapi.json")
    fields = set(described["components"]["schemas"]["Record"]["properties"])
    _, _, detailed = ask(port, "POST", "/api/count?details=1", jpeg(picture), JPEG)
    assert set(printed) | set(detailed) <= fields


def test_details_hold_the_map_its_colors_and_the_heads(port, picture, weights):
    data = jpeg(picture)
    _, _, record = ask(port, "POST", "/api/count?details=1", data, JPEG)
    density = np.frombuffer(base64.b64decode(record["density"]), "<f4").reshape(record["rows"], record["columns"])
    np.testing.assert_allclose(density, count(data, model=weights).density, rtol=1e-4, atol=1e-6)
    heat = Image.open(io.BytesIO(base64.b64decode(record["heat"])))
    assert heat.mode == "RGBA" and heat.size == (record["columns"], record["rows"])
    assert len(record["heads"]) == round(record["count"])


def test_zones_of_a_map_that_was_answered_add_up_to_the_count(port, picture):
    _, _, record = ask(port, "POST", "/api/count?details=1", jpeg(picture), JPEG)
    halves = [
        {"name": "left", "polygon": [[0, 0], [28, 0], [28, 40], [0, 40]]},
        {"name": "right", "polygon": [[28, 0], [56, 0], [56, 40], [28, 40]]},
    ]
    ground = {"points": [[0, 0, 0, 0], [56, 0, 7, 0], [56, 40, 7, 5], [0, 40, 0, 5]]}
    asked = {"width": 56, "height": 40, "density": record["density"], "zones": halves, "ground": ground}
    status, _, answer = ask(port, "POST", "/api/zones", json.dumps(asked), JSON)
    assert status == 200
    assert sum(answer["zones"].values()) == pytest.approx(record["count"], abs=1e-3)
    assert answer["per_m2"]["left"] == pytest.approx(answer["zones"]["left"] / (3.5 * 5), rel=1e-3)
    assert set(answer["level_of_service"]) == {"left", "right"}


def test_zones_have_the_ranges_that_the_command_gives(ranged_weights, picture):
    halves = [{"name": "left", "polygon": [[0, 0], [28, 0], [28, 40], [0, 40]]}]
    models, data = Models(ranged_weights), jpeg(picture)
    record, counted = count_picture(data, "a.jpg", models, "ranged", 0.9, details=True)
    assert counted
    range_ = {key: record[key] for key in ("model", "coverage", "scale", "kind", "other")}
    asked = {"width": 56, "height": 40, "density": record["density"], "zones": halves, "range": range_}
    answer = count_in_zones(json.loads(json.dumps(asked)), models)
    expected = count(data, model=ranged_weights).zone_ranges(halves)["left"]
    assert answer["zone_ranges"]["left"] == pytest.approx(expected, rel=1e-3)
    assert "zone_ranges" not in count_in_zones({**asked, "range": None}, models)
    farther = count_in_zones({**asked, "range": {**range_, "other": 4 * record["count"]}}, models)["zone_ranges"][
        "left"
    ]
    assert farther[0] == answer["zone_ranges"]["left"][0] and farther[1] > answer["zone_ranges"]["left"][1]
    page = report({"entries": [{**record, **answer}]}, models)
    assert span(*answer["zone_ranges"]["left"]) in page
    for wrong in (
        {},
        [],
        {**range_, "kind": {"density": 1.0}},
        {**range_, "kind": {"density": "x"}},
        {**range_, "other": "many"},
        {**range_, "scale": 0},
        {**range_, "kind": {**range_["kind"], "fineness": 1e308}},
    ):
        with pytest.raises(DataError):
            count_in_zones({**asked, "range": wrong}, models)


def test_a_page_in_any_language_knows_why_a_picture_is_not_counted(weights, picture, monkeypatch):
    """In others than English it would tell who sends a panorama to save it as JPEG."""
    models = Models(weights)

    def code(data, model="tiny"):
        record, counted = count_picture(data, "a.jpg", models, model, 0.9)
        assert not counted and record["error"]
        return record["code"]

    assert code(b"no picture") == "not_counted" and code(jpeg(picture), "none") == "not_usable"
    monkeypatch.setattr("crowdcount.web.answers.MOST_PIXELS", 1000)
    assert code(jpeg(picture)) == "too_many_pixels"
    monkeypatch.undo()
    monkeypatch.setattr("crowdcount.web.answers.count", Mock(side_effect=MemoryError))
    assert code(jpeg(picture)) == "memory"


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HTTP/1.1\r\nHo", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /"]
)
def test_who_does_not_say_what_he_wants_is_hung_up_on(guarded_port, monkeypatch, sent):
    """Two hundred of such kept everybody else out for good, without a token."""
    monkeypatch.setattr(serve, "_HEADER_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", guarded_port), timeout=30) as connection:
        connection.sendall(sent)
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
    assert received.startswith(b"HTTP/1.1 200") == sent.endswith(b"GET /")
    assert ask(guarded_port, "GET", "/healthz")[0] == 200


def test_a_report_is_made_of_records_and_nothing_in_it_runs(port, picture):
    _, _, record = ask(port, "POST", "/api/count?name=<script>.jpg", jpeg(picture), JPEG)
    entries = [{**record, "thumbnail": base64.b64encode(jpeg(picture)).decode(), "zones": {"<b>": 1.0}, "scale": 0.5}]
    status, headers, page = ask(port, "POST", "/api/report", json.dumps({"entries": entries}), JSON)
    assert status == 200 and headers["content-disposition"].startswith("attachment")
    assert b"counted at 0.5 times its size" in page  # as in a report of the command line
    assert b"&lt;script&gt;.jpg" in page and b"<script>" not in page and b"<b>" in page.replace(b"&lt;b&gt;", b"<b>")


def test_a_report_has_the_word_of_what_the_network_counts(tmp_path, weights):
    file = tmp_path / "cells.weights.h5"
    file.write_bytes(Path(weights).read_bytes())
    (tmp_path / "cells.json").write_text('{"thing": "cells"}')
    models = Models(str(file))
    page = report({"entries": [{"picture": "a.jpg", "count": 12.0, "model": "cells"}]}, models)
    assert "<h1>Cells counted</h1>" in page and "12 cells" in page and "people" not in page.lower()
    page = report({"entries": [{"picture": "a.jpg", "count": 12.0, "model": "general"}], "title": "March"}, models)
    assert "<h1>March</h1>" in page and "12 people" in page


def test_models_health_and_description(port):
    status, _, models = ask(port, "GET", "/api/models")
    assert status == 200
    names = [model["name"] for model in models["models"]]
    assert names.count("general") == 1 and [m["name"] for m in models["models"] if m["default"]] == ["tiny"]
    assert "/" not in names[-1] and not any("command" in model or "calibration" in model for model in models["models"])
    assert ask(port, "GET", "/healthz")[2] == {"status": "ok"}
    _, _, described = ask(port, "GET", "/openapi.json")
    assert described["openapi"].startswith("3.1") and {"/api/count", "/api/models"} <= set(described["paths"])
    for path, methods in described["paths"].items():
        for method in methods:  # what is described is there: the answer may be a refusal, but not "not found"
            assert ask(port, method.upper(), path)[0] not in (404, 405)


def test_the_page_and_its_files_come_from_here_alone(port):
    status, headers, page = ask(port, "GET", "/")
    assert status == 200
    assert (
        "script-src 'self'" in headers["content-security-policy"] and "unsafe" not in headers["content-security-policy"]
    )
    text = page.decode()
    assert "http://" not in text and "https://" not in text
    assert "<style" not in text and " style=" not in text and " onclick" not in text
    assert text.count("<script") == text.count('<script type="module" src=')
    _, _, languages = ask(port, "GET", "/texts")
    assert {"en", "de", "es", "zh"} <= set(languages)


def test_a_file_that_is_named_as_a_network_replaces_none(weights, tmp_path):
    file = tmp_path / "general.weights.h5"
    file.write_bytes(Path(weights).read_bytes())
    models = Models(str(file))
    assert models.default == file.name and models.place(file.name) == str(file) and models.place("general") == "general"
    (own,) = (card for card in models.cards if card["default"])
    (packaged,) = (card for card in models.cards if card["name"] == "general")
    assert own["name"] == file.name and "license" in packaged


def test_no_answer_names_the_folder_of_the_weights(weights, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "runs" / "mine.weights.h5"
    file.parent.mkdir()
    for place in (str(file), "./runs/mine.weights.h5"):
        file.write_bytes(Path(weights).read_bytes())
        models = Models(place)
        file.write_bytes(Path(weights).read_bytes()[:1000])  # as by a training that was stopped
        record, counted = count_picture(jpeg(picture), "a.jpg", models, "mine", 0.9)
        assert not counted and record["error"].startswith("mine ") and "runs" not in record["error"]
    # Those that come with crowdcount, too.
    (tmp_path / "installed").mkdir()
    monkeypatch.setattr("crowdcount.network.locate.data_folder", lambda name: tmp_path / "installed")
    named = tmp_path / "installed" / "own.weights.h5"
    named.write_bytes(Path(weights).read_bytes())
    models = Models("own")
    named.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    record, _ = count_picture(jpeg(picture), "a.jpg", models, "own", 0.9)
    assert record["error"].startswith("own is a pointer of Git LFS")
    named.with_name("own.json").write_text("{")
    named.write_bytes(Path(weights).read_bytes())
    record, _ = count_picture(jpeg(picture), "a.jpg", models, "own", 0.9)
    assert "own.json" in record["error"] and "installed" not in record["error"]


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="such names cannot be there")
def test_a_picture_whose_name_is_no_utf8_is_annotated(picture, weights, tmp_path):
    Image.fromarray(picture).save(tmp_path / "Fu\udcdf.png")
    with serving(make_page(Desk(Folder(tmp_path), weights))) as port:

        def answer(question):
            return ask(port, "POST", "/api/annotate", json.dumps(question), JSON)

        _, _, told = answer({"ask": "folder"})
        name = told["pictures"][0]["name"]
        save = {"ask": "save", "name": name, "version": "", "points": [[1, 2]], "done": True}
        assert answer({**save, "points": [[999, 2]]})[2]["error"].startswith(r"Fu\udcdf.png: (999, 2) lies outside")
        assert answer(save)[0] == 200 and answer(save)[0] == 409
        assert answer({"ask": "csv"})[2]["csv"].endswith(f"{name},1.0,2.0\r\n")
    (sample,) = read_json(tmp_path)
    assert sample.points.tolist() == [[1, 2]] and sample.read().shape == picture.shape


# --- Refusals -----------------------------------------------------------------------------------------------


def bomb():
    """A small PNG file of 40,000 x 40,000 pixels, of which only the header is there."""
    file = io.BytesIO()
    Image.new("1", (40_000, 8)).save(file, "PNG")
    data = bytearray(file.getvalue())
    data[20:24] = (40_000).to_bytes(4, "big")
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


def zones_body(**changes):
    good = {
        "width": 8,
        "height": 8,
        "density": base64.b64encode(np.ones(1, "<f4").tobytes()).decode(),
        "zones": [{"name": "all", "polygon": [[0, 0], [8, 0], [8, 8]]}],
    }
    return json.dumps({**good, **changes})


HOSTILE = {
    # Who asks
    "foreign host": ("GET", "/", None, {"Host": "evil.example"}, 403),
    "rebinding host with our port": ("POST", "/api/count", b"x", {**JPEG, "Host": "evil.example:8000"}, 403),
    "host that ends like ours": ("GET", "/api/models", None, {"Host": "127.0.0.1.evil.example"}, 403),
    "host with a user": ("GET", "/api/models", None, {"Host": "localhost@evil.example"}, 403),
    "no host": ("GET", "/api/models", None, {"Host": ""}, 403),
    "another address": ("GET", "/api/models", None, {"Host": "192.168.1.7"}, 403),
    "foreign origin": ("POST", "/api/count", b"x", {**JPEG, "Origin": "https://evil.example"}, 403),
    "origin of a sandboxed page": ("POST", "/api/count", b"x", {**JPEG, "Origin": "null"}, 403),
    "origin that is no address": ("POST", "/api/count", b"x", {**JPEG, "Origin": "http://[::1"}, 403),
    "origin of another port": ("POST", "/api/count", b"x", {**JPEG, "Origin": "http://127.0.0.1:1"}, 403),
    "picture embedded elsewhere": ("GET", "/example.jpg", None, {"Sec-Fetch-Site": "cross-site"}, 403),
    "form sent from elsewhere": (
        *("POST", "/api/count", b"x"),
        {**JPEG, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        403,
    ),
    # Where to
    "path out of the files": ("GET", "/static/../serve.py", None, {}, 404),
    "the same, encoded": ("GET", "/static/..%2f..%2ferrors.py", None, {}, 404),
    "the same, encoded twice": ("GET", "/static/%252e%252e%252ferrors.py", None, {}, 404),
    "absolute path": ("GET", "/static//etc/passwd", None, {}, 404),
    "backslashes": ("GET", "/static/..%5c..%5cerrors.py", None, {}, 404),
    "a NUL": ("GET", "/static/app.js%00.html", None, {}, 404),
    "wrong method": ("DELETE", "/api/count", None, {}, 405),
    "reading what is to be sent": ("GET", "/api/count", None, {}, 405),
    # What
    "too many bytes": ("POST", "/api/count", b"", {**JPEG, "Content-Length": str(2**40)}, 413),
    "too much JSON": ("POST", "/api/zones", b"", {**JSON, "Content-Length": str(2**30)}, 413),
    "a form": ("POST", "/api/count", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "text": ("POST", "/api/zones", b"{}", {"Content-Type": "text/plain"}, 415),
    "compressed": ("POST", "/api/count", b"x", {**JPEG, "Content-Encoding": "gzip"}, 415),
    "no picture": ("POST", "/api/count", b"MZ" + bytes(100), JPEG, 422),
    "nothing": ("POST", "/api/count", b"", JPEG, 422),
    "half a picture": ("POST", "/api/count", jpeg(np.zeros((64, 64, 3), np.uint8))[:400], JPEG, 422),
    "too many pixels": ("POST", "/api/count", bomb(), {"Content-Type": "image/png"}, 422),
    "a script as SVG": ("POST", "/api/count", b"<svg onload='x()'/>", {"Content-Type": "image/svg+xml"}, 422),
    "a file as model": ("POST", "/api/count?model=/etc/passwd", b"x", JPEG, 422),
    "a coverage of infinity": ("POST", "/api/count?coverage=inf", b"x", JPEG, 422),
    "a parameter that there is not": ("POST", "/api/count?coverge=0.8", b"x", JPEG, 422),
    "details of another kind": ("POST", "/api/count?details=yes", b"x", JPEG, 422),
    "JSON that nests for ever": ("POST", "/api/zones", b"[" * 200_000, JSON, 400),
    "JSON of another kind": ("POST", "/api/zones", b"[]", JSON, 400),
    "a file as zones": ("POST", "/api/zones", zones_body(zones="/etc/passwd"), JSON, 422),
    "a file as ground": ("POST", "/api/zones", zones_body(ground="/etc/passwd"), JSON, 422),
    "a map of another size": ("POST", "/api/zones", zones_body(width=80_000_000), JSON, 422),
    "a map that is no base64": ("POST", "/api/zones", zones_body(density="AAA"), JSON, 422),
    "a map in letters of elsewhere": ("POST", "/api/zones", zones_body(density="Über"), JSON, 422),
    "a map of NaN": ("POST", "/api/zones", zones_body(density="AADAfw=="), JSON, 422),
    "entries of another kind": ("POST", "/api/report", b'{"entries": [1]}', JSON, 422),
    "a count beyond all numbers": ("POST", "/api/report", b'{"entries": [{"count": 1%s}]}' % (400 * b"0"), JSON, 422),
    "counts that add up beyond all": (
        "POST",
        "/api/report",
        b'{"entries": [{"picture": "a", "count": 1e308, "low": -1e308, "high": 1e308, "coverage": 0.9}, '
        b'{"picture": "b", "count": 1e308, "low": 1, "high": 1e308, "coverage": 0.9}]}',
        JSON,
        422,
    ),
    "people beyond all": ("POST", "/api/report", b'{"entries": [{"zones": {"a": 1%s}}]}' % (400 * b"0"), JSON, 422),
    "a range beyond all numbers": (
        *("POST", "/api/zones"),
        zones_body(
            range={"kind": dict.fromkeys(("density", "fineness", "brightness"), 1), "model": "tiny", "scale": 1}
            | {"coverage": 10**400}
        ),
        *(JSON, 422),
    ),
}


def test_each_status_that_occurs_is_described(port):
    _, _, described = ask(port, "GET", "/openapi.json")
    for name, (method, path, _, _, status) in HOSTILE.items():
        operation = described["paths"].get(path.split("?")[0], {}).get(method.lower())
        if operation is not None:
            assert {str(status), "500"} <= set(operation["responses"]), name
    sent = described["paths"]["/api/count"]["post"]["responses"]
    assert {"200", "400", "401", "403", "408", "413", "415", "422", "500", "503"} == set(sent)


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_requests_are_refused_in_one_sentence_without_a_path(port, case):
    method, path, body, headers, expected = HOSTILE[case]
    status, _, content = ask(port, method, path, body, headers)
    assert status == expected
    assert isinstance(content["error"], str) and content["code"]
    assert "Traceback" not in str(content) and "site-packages" not in str(content) and "/tmp" not in str(content)
    assert ask(port, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    "what, many",
    [
        ("zones", [[[0, 0], [8, 0], [8, 8]]] * 2000),
        ("ground", {"points": [[x, y, x, y] for x in range(50) for y in range(60)]}),
    ],
)
def test_zones_and_ground_have_a_bound(what, many):
    """A few megabytes of them kept a thread busy for hours, or took all memory."""
    content = json.loads(zones_body(**{what: many}))
    with pytest.raises(DataError, match=f"{what} may hold 10,000 numbers. Received: 12,000"):
        count_in_zones(content, None)


def test_endless_requests_are_cut(port):
    def sent(head, endless, most):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as stream:
            stream.sendall(head)
            total = 0
            try:
                while total < most:
                    total += stream.send(endless)
            except OSError:
                pass  # it hung up
            try:
                return total, stream.recv(64)
            except OSError:
                return total, b""

    total, answer = sent(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"a" * 4096, 2**24)
    assert total < 2**24 or answer.startswith(b"HTTP/1.1 4")
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    head = (
        b"POST /api/count HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    total, answer = sent(head, chunk, 2**28)
    assert total < 2**28 and answer[:12] in (b"", b"HTTP/1.1 413")
    assert ask(port, "GET", "/healthz")[0] == 200


def test_two_hosts_are_no_request(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert stream.recv(64).startswith(b"HTTP/1.1 400")


def test_a_token_is_wanted_on_the_network(guarded_port, picture):
    port, data = guarded_port, jpeg(picture)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"crowdcount-{port}=wrong"}):
        assert ask(port, "POST", "/api/count", data, {**JPEG, **headers})[0] == 401
        assert ask(port, "GET", "/static/app.js", None, headers)[0] == 401
    assert ask(port, "GET", "/?token=wrong")[0] == 401
    assert ask(port, "POST", "/api/count", data, {**JPEG, "Authorization": f"Bearer {TOKEN}"})[0] == 200
    status, headers, _ = ask(port, "GET", f"/?token={quote(TOKEN)}")
    assert status == 303 and headers["location"] == "./"
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=lax" in cookie.lower()
    assert ask(port, "GET", "/", None, {"Cookie": cookie.split(";")[0]})[0] == 200
    assert ask(port, "GET", "/healthz")[0] == 200
    # By its addresses it may be called there, by a name of somebody else not.
    assert ask(port, "GET", "/healthz", None, {"Host": f"192.168.1.7:{port}"})[0] == 200
    assert ask(port, "GET", "/healthz", None, {"Host": "evil.example"})[0] == 403


def test_behind_a_server_for_https_as_the_page_sets_it_up(weights, picture):
    """That one sends its own name for ours as Host, and the browser's headers but for the Origin."""
    with serving(make_app(weights, token=TOKEN)) as port:
        _, headers, _ = ask(port, "GET", f"/?token={quote(TOKEN)}")
        sent = {**JPEG, "Cookie": headers["set-cookie"].split(";")[0]}
        ours, others = ({"Sec-Fetch-Site": site} for site in ("same-origin", "cross-site"))
        assert ask(port, "POST", "/api/count", jpeg(picture), {**sent, **ours})[0] == 200
        assert ask(port, "POST", "/api/count", jpeg(picture), {**sent, **others})[0] == 403
        assert ask(port, "POST", "/api/count", jpeg(picture), {**JPEG, **ours})[0] == 401
        origin = {"Origin": "https://count.example"}
        assert ask(port, "POST", "/api/count", jpeg(picture), {**sent, **ours, **origin})[0] == 403


def test_tokens_are_made_on_the_network_only_and_short_ones_refused():
    assert token_for("127.0.0.1") is None and token_for("localhost") is None
    assert len(token_for("0.0.0.0")) >= 32 and token_for("0.0.0.0") != token_for("0.0.0.0")
    with pytest.raises(CrowdCountError, match="16 characters"):
        token_for("0.0.0.0", "secret")
    assert "evil.example" not in allowed_names("0.0.0.0")


@pytest.mark.parametrize("token", ["abc+def/ghi=jkl&mno#", "100%41 sure, isn't it?"])
def test_the_address_that_is_printed_opens_the_page_whatever_the_token(weights, token):
    told = []
    app = make_app(weights, host="0.0.0.0", token=token_for("0.0.0.0", f" {token}\n"))
    with listen("127.0.0.1", 0) as listener, pytest.MonkeyPatch.context() as patch:
        patch.setattr("crowdcount.web.serve.server_of", lambda app: SimpleNamespace(run=lambda sockets: None))
        run_server(app, listener, token=token, browser=False, say=told.append)
    query = urlsplit(told[0].split()[-1]).query
    with serving(app) as port:
        status, headers, _ = ask(port, "GET", f"/?{query}")
        assert status == 303
        assert ask(port, "GET", "/", None, {"Cookie": headers["set-cookie"].split("; ")[0]})[0] == 200
        assert ask(port, "GET", "/", None, {"Authorization": f"Bearer {token}"})[0] == 200


@pytest.mark.parametrize("token", ["schlüssel-zum-rathaus", "a token of\ntwo lines"])
def test_a_token_that_no_header_can_hold_is_refused(token):
    with pytest.raises(CrowdCountError, match="ASCII"):
        token_for("0.0.0.0", token)


# --- Many -----------------------------------------------------------------------------------------------------


def resident():
    """Bytes of this process in memory."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        pytest.skip("memory in use is told by /proc, which is Linux's")


def test_200_requests_of_8_clients_are_all_answered_rightly_and_memory_stays_flat(port, rng, weights):
    pictures = [jpeg(rng.integers(0, 256, (int(side), 64, 3), np.uint8)) for side in (40, 64, 96, 120)]
    expected = [count(data, model=weights).count for data in pictures]

    def one(number):
        kind = number % 5
        if kind == 4:  # and among them what is no picture
            return ask(port, "POST", f"/api/count?name={number}.jpg", b"no picture", JPEG)[0] == 422
        status, _, record = ask(port, "POST", f"/api/count?name={number}.jpg&details=1", pictures[kind], JPEG)
        right = record["count"] == pytest.approx(expected[kind], abs=2e-3) and record["picture"] == f"{number}.jpg"
        return status == 200 and right

    with ThreadPoolExecutor(8) as clients:
        assert all(clients.map(one, range(40)))
        before = resident()
        assert all(clients.map(one, range(200)))
    assert resident() - before < 30 * 2**20


def test_a_full_line_is_told_with_the_time_to_come_back(weights, picture):
    with serving(make_app(weights, most_waiting=2)) as port:
        assert ask(port, "POST", "/api/count", jpeg(picture), JPEG)[0] == 200
        head = "POST /api/count HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\n"
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        for stream in waiting:  # they hold their places, and send nothing
            stream.sendall(head.encode())
        deadline = time.monotonic() + 10
        while (answer := ask(port, "POST", "/api/count", jpeg(picture), JPEG))[0] != 503:
            assert time.monotonic() < deadline
        assert int(answer[1]["retry-after"]) >= 1 and answer[2]["code"] == "busy"
        for stream in waiting:
            stream.close()
        while ask(port, "POST", "/api/count", jpeg(picture), JPEG)[0] != 200:  # those who went left their places
            assert time.monotonic() < deadline


def test_a_place_in_line_is_given_back_whatever_happens():
    line = Line(1)
    with pytest.raises(ZeroDivisionError), line.place():
        with pytest.raises(Refusal, match="full"), line.place():
            pass
        raise ZeroDivisionError
    with line.place():
        pass
    line.close()


# --- The commands -----------------------------------------------------------------------------------------------


def run(capsys, *arguments):
    status = cli.main(arguments)
    return status, capsys.readouterr()


def test_a_place_to_listen_that_cannot_be_had_is_told_in_a_line(capsys, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        for command in (["app"], ["annotate", str(tmp_path)]):
            status, told = run(capsys, *command, "--port", port, "--no-browser")
            assert status == 1 and told.out == "" and f"port {port}" in told.err and "Traceback" not in told.err
    status, told = run(capsys, "app", "--host", "no.such.host.invalid", "--no-browser")
    assert status == 1 and "no.such.host.invalid" in told.err


def test_without_a_port_the_next_free_one_is_taken():
    with listen("127.0.0.1") as first, listen("127.0.0.1") as second:
        assert first.getsockname()[1] != second.getsockname()[1]


def test_on_windows_a_port_is_one_servers_alone():
    """There SO_REUSEADDR lets a second server listen beside the first, and who opens the page gets either."""
    script = (
        "import socket; socket.SO_EXCLUSIVEADDRUSE = ~socket.SO_REUSEADDR\n"
        "from crowdcount.web import serve; print(serve._ALONE == ~socket.SO_REUSEADDR)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "True\n"


def test_a_port_that_windows_keeps_is_passed_over(monkeypatch):
    bind, tried = socket.socket.bind, []

    class Kept(socket.socket):
        def bind(self, place):
            tried.append(place)
            if len(tried) == 1:
                raise PermissionError(errno.EACCES, "kept")
            bind(self, place)

    monkeypatch.setattr(socket, "socket", Kept)
    with listen("127.0.0.1") as listener:
        assert listener.getsockname()[1] >= 8001


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["annotate", "no-such-folder"], "no-such-folder"),
        (["annotate", "."], "holds no pictures"),
        (["annotate", "photos", "--model", "no-such-model"], "no-such-model"),
        (["app", "--model", "no-such-model", "--port", "0"], "no-such-model"),
        (["app", "--model", "no-such-model.keras", "--port", "0"], "no-such-model.keras"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_served(capsys, tmp_path, monkeypatch, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "photos" / "a.png")
    monkeypatch.chdir(tmp_path / "empty" if "." in arguments else tmp_path)
    for name in ("app", "annotate"):
        monkeypatch.setattr(f"crowdcount.cli.{name}.import_keras", lambda: pytest.fail("which takes seconds"))
    status, told = run(capsys, *arguments, "--no-browser")
    assert status == 1 and message in told.err and told.out == ""


def test_without_the_extra_one_line_names_it(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, told = run(capsys, "app")
    assert status == 1 and '".[app]"' in told.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as Unix does")
def test_ctrl_c_ends_a_server_well_and_its_address_is_printed_first():
    script = (
        "import asyncio, signal; from starlette.routing import Route; from crowdcount.web import pages, serve\n"
        "async def slow(request): await asyncio.sleep(60)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "token = serve.token_for('0.0.0.0'); listener = serve.listen('127.0.0.1', 0)\n"
        "routes = [*pages.page_routes('app.html'), Route('/slow', slow)]\n"
        "app = serve.guarded(routes, host='0.0.0.0', token=token)\n"
        "serve.run(app, listener, token=token, browser=False, say=lambda line: print(line, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    address = process.stdout.readline().split()[-1]
    place, token = address.split("/?token=")
    deadline = time.monotonic() + 60
    while ask(int(place.rsplit(":", 1)[1]), "GET", "/healthz")[0] != 200:
        assert time.monotonic() < deadline
    shown = {"Authorization": f"Bearer {token}"}
    assert ask(int(place.rsplit(":", 1)[1]), "GET", "/texts", None, shown)[0] == 200
    with ThreadPoolExecutor(1) as waiting:
        cut = waiting.submit(ask, int(place.rsplit(":", 1)[1]), "GET", "/slow", None, shown)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in errors
    assert cut.result()[0] == 503, "a request that is cut off is told so"
    assert printed.endswith("Ended.\n"), "the prompt follows on a line of its own"


def test_who_ends_a_page_does_not_wait_for_what_it_counts():
    script = (
        "import asyncio, sys, time; from crowdcount import __main__, cli; from crowdcount.web.line import Line\n"
        "async def begin():\n"
        "    task = asyncio.create_task(Line().run(None, lambda: time.sleep(600)))\n"
        "    await asyncio.sleep(0.5)\n"
        "    task.cancel()\n"
        "def main():\n"
        "    asyncio.run(begin())\n"
        "    return 7\n"
        "cli.main = main\n"
        "sys.exit(__main__.run())"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 7
