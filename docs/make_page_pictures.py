"""Make the pictures of the two pages, `crowdcount app` and `crowdcount annotate`, anew, as after a change of the pages.

    python docs/make_page_pictures.py [--out FOLDER] [--width PIXELS]

They show the drawn picture that comes with crowdcount. Needs the extra app, Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from PIL import Image
from playwright.sync_api import Locator, Page, expect, sync_playwright
from starlette.applications import Starlette

from crowdcount.annotating.desk import Desk
from crowdcount.annotating.folder import Folder
from crowdcount.annotating.page import make_page
from crowdcount.files import data_folder
from crowdcount.web.app import make_app
from crowdcount.web.serve import listen, server_of

# Corners as shares of the stage: of a zone, of a rectangle on the ground, and of a box around what is not counted.
ZONE = ((0.17, 0.35), (0.6, 0.28), (0.68, 0.62), (0.2, 0.72))
GROUND = ((0.12, 0.93), (0.88, 0.93), (0.72, 0.3), (0.27, 0.3))
BOX = ((0.62, 0.02), (0.79, 0.13))
PATIENCE = 300_000
SMALL, COLORS = 240, 200


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--width", type=int, default=1280, help="of the page in pixels (default: 1280)")
    arguments = parser.parse_args(argv)
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        running = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        height = 800 if arguments.width > 800 else 844
        page = running.new_page(viewport={"width": arguments.width, "height": height}, locale="en-US")
        page.set_default_timeout(PATIENCE)
        with serving(make_app()) as address:
            count(page, address)
            page.screenshot(path=arguments.out / "app.png", full_page=True)
            shrink(arguments.out / "app.png")
        shutil.copy(data_folder("datasets") / "sample.jpg", Path(folder) / "square.jpg")
        with serving(make_page(Desk(Folder(folder), "general"))) as address:
            annotate(page, address)
            page.screenshot(path=arguments.out / "annotate.png")
            shrink(arguments.out / "annotate.png")
        running.close()


def shrink(path: Path) -> None:
    """Make a picture's file a third as large, and beside it a small one for the table of the README."""
    image = Image.open(path).convert("RGB")
    image.quantize(COLORS, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    image.thumbnail((SMALL, image.height))
    image.save(path.with_name(f"{path.stem}_small.jpg"), quality=85)


def count(page: Page, address: str) -> None:
    page.goto(address)
    page.click("#example")
    expect(page.locator("#number")).to_have_text(re.compile("[0-9]"), timeout=PATIENCE)
    stage = page.locator(".cc-marks")
    page.click("[data-mode=ground]")
    click(page, stage, GROUND)
    page.fill("#actions input >> nth=0", "10")
    page.fill("#actions input >> nth=1", "14")
    page.click("[data-mode=zone]")
    click(page, stage, ZONE)
    page.keyboard.press("Enter")
    page.locator("#zones input").fill("fountain")
    page.keyboard.press("Enter")
    expect(page.locator("#zones")).to_contain_text("per m²", timeout=PATIENCE)
    page.wait_for_timeout(1000)


def annotate(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator(".cc-told")).to_contain_text("model's heads", timeout=PATIENCE)
    page.keyboard.press("b")
    box = page.locator(".cc-marks").bounding_box()
    (left, top), (right, bottom) = (place(box, share) for share in BOX)
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(right, bottom, steps=4)
    page.mouse.up()
    page.keyboard.press("b")
    page.wait_for_timeout(1500)


def click(page: Page, stage: Locator, shares: Sequence[tuple[float, float]]) -> None:
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    for share in shares:
        page.mouse.click(*place(box, share))


def place(box: dict, share: tuple[float, float]) -> tuple[float, float]:
    return box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"]


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """The address of a server that runs in a thread of this process."""
    listener = listen("127.0.0.1", 0)
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    server.should_exit = True
    thread.join(20)


if __name__ == "__main__":
    main()
