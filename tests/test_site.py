"""The site is built from the checkout and looked at in a real browser, from files, without network."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.repository import NOTEBOOKS, ROOT, Repository
from tools.site.links import Links
from tools.site.notebook_pages import as_page

pytest.importorskip("myst_nb", reason="the site needs pip install '.[site]'")

WIDTHS = (1280, 390)
HERE = Repository("somebody", "crowds")


def guess(*after):
    """A notebook: a prediction, and the cells after it."""
    return new_notebook(cells=[new_markdown_cell("# T"), new_code_cell("my_guess = 3  # people"), *after])


def reveal(source="print(my_guess, 7)"):
    return new_code_cell(source, outputs=[new_output("stream", text="3 7\n")])


def test_what_answers_a_prediction_is_folded():
    page = as_page(guess(reveal(), reveal("print(1)")), "n.ipynb", None)
    assert [("hide-cell" in cell.metadata.get("tags", [])) for cell in page.cells] == [False, False, True, False]


def test_a_figure_between_guess_and_answer_is_folded_too():
    page = as_page(guess(reveal("draw()"), reveal()), "n.ipynb", None)
    assert all("reveal" in cell.metadata["tags"] for cell in page.cells[2:])


def test_the_explanation_goes_with_the_answer_up_to_the_next_heading():
    page = as_page(guess(reveal(), new_markdown_cell("Seven, because.\n\n## Next\n\nText.")), "n.ipynb", None)
    assert "after-reveal\nSeven, because.\n" in page.cells[3].source
    assert page.cells[4].source.startswith("## Next")


def test_a_page_links_to_the_places_that_run_it_once_there_is_an_address():
    assert "mybinder.org" in as_page(guess(), "n.ipynb", HERE).cells[1].source
    assert len(as_page(guess(), "n.ipynb", None).cells) == 2


@pytest.mark.parametrize(
    ("link", "without", "with_address"),
    [
        ("[x](../notebooks/a.ipynb)", "[x](../notebooks/a.ipynb)", "[x](../notebooks/a.ipynb)"),
        ("[x](../setup.cfg)", "x", f"[x]({HERE.page('setup.cfg')})"),
        ("![x](x.png)", "![x](x.png)", "![x](x.png)"),
        ("[x](https://example.org)", "[x](https://example.org)", "[x](https://example.org)"),
        ("[x](#part)", "[x](#part)", "[x](#part)"),
    ],
)
def test_links_lead_to_pages_or_to_the_repository(link, without, with_address):
    for where, expected in ((None, without), (HERE, with_address)):
        links = Links(ROOT, where, {Path("notebooks/a.ipynb")})
        assert links.rewritten(f"See {link}.", ROOT / "docs" / "p.md") == f"See {expected}."


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The whole site; a link inside it that leads nowhere, or a docstring that is no good page, stops the build."""
    from tools.site.build import build

    return build(tmp_path_factory.mktemp("site"))


class References(HTMLParser):
    """What a page refers to, and the places in it that can be referred to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.places = [], [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.places.update(filter(None, (named.get("id"), named.get("name"))))
        if tag == "a" and named.get("href"):
            self.links.append(named["href"])
        elif tag in ("img", "script") and named.get("src"):
            self.loaded.append(named["src"])
        elif tag == "link" and named.get("rel") == "stylesheet":
            self.loaded.append(named["href"])


@pytest.fixture(scope="module")
def pages(site):
    return {path: References(path.read_text("utf-8")) for path in site.rglob("*.html")}


def test_every_notebook_page_and_wing_has_its_page(site):
    wanted = [f"notebooks/{path.stem}.html" for path in NOTEBOOKS.glob("*.ipynb")]
    wanted += [f"docs/{path.stem}.html" for path in (ROOT / "docs").glob("*.md")]
    wanted += [f"api/{path.parent.name}.html" for path in (ROOT / "crowdcount").glob("*/__init__.py")]
    missing = [name for name in wanted if not (site / name).exists()]
    # No API: the commands and the pages in the browser are told on the task pages.
    assert sorted(missing) == ["api/annotating.html", "api/cli.html", "api/web.html"]


def test_no_link_inside_leads_nowhere(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            target, _, place = unquote(link).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            to = (path.parent / target).resolve() if target else path
            if not to.exists() or (to in pages and place not in pages[to].places):
                broken.append((path.name, link))
    assert broken == []


def test_pages_load_nothing_from_elsewhere(pages):
    loaded = {(path, name.partition("?")[0]) for path, page in pages.items() for name in page.loaded}
    assert [name for path, name in loaded if ":" in name or not (path.parent / unquote(name)).exists()] == []


def test_the_next_notebook_is_one_click_away(pages, site):
    order = [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    for before, after in zip(order, order[1:], strict=False):
        assert f"{after}.html" in pages[site / "notebooks" / f"{before}.html"].links
        assert f"{before}.html" in pages[site / "notebooks" / f"{after}.html"].links


@pytest.fixture
def tab(browser):
    """A tab of a browser; at the end, nothing may have come from elsewhere."""
    page, elsewhere = browser.new_page(viewport={"width": WIDTHS[0], "height": 900}), []
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or elsewhere.append(request.url))
    yield page
    page.close()
    assert elsewhere == []


# Elements that stick out to the right or hide a part of their text, unless they, or what is around them, scroll.
CUT_OFF = """() => {
  const cut = [], name = (each) => each.tagName + " " + each.textContent.trim().slice(0, 60);
  const clips = (each) => ["hidden", "clip"].includes(getComputedStyle(each).overflowX);
  const scrolls = (each) => ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
  for (const each of document.querySelectorAll("article *")) {
    if (each.closest("mjx-assistive-mml, svg, .headerlink, .visually-hidden")) continue;
    let around = each;
    while (around && !scrolls(around)) around = around.parentElement;
    const box = each.getBoundingClientRect();
    if (box.width && box.right > innerWidth + 1 && !around) cut.push(name(each));
    if (clips(each) && each.clientWidth && each.scrollWidth > each.clientWidth + 1) cut.push(name(each));
    if (each.tagName == "PRE" && each.scrollWidth > each.clientWidth + 1) cut.push(name(each));
  }
  if (document.documentElement.scrollWidth > innerWidth) cut.push("the page");
  return cut;
}"""
# Formulas that are not drawn: no container, an error in it, or no glyph.
UNDRAWN = """async () => {
  if (!document.querySelector(".math")) return 0;
  await MathJax.startup.promise;
  const drawn = [...document.querySelectorAll(".math")].filter((each) =>
    each.querySelector("mjx-container svg") && !each.querySelector("mjx-merror, [data-mjx-error]"));
  return document.querySelectorAll(".math").length - drawn.length;
}"""


def looked_at():
    notebooks = [f"notebooks/{path.stem}" for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    return [*notebooks, *(f"docs/{path.stem}" for path in sorted((ROOT / "docs").glob("*.md")))] + [
        *("index", "README", "api/index", "api/course", "api/training")
    ]


@pytest.mark.parametrize("name", looked_at())
def test_formulas_are_drawn_and_no_line_is_cut_off(name, tab, site):
    tab.goto((site / f"{name}.html").as_uri())
    assert tab.evaluate(UNDRAWN) == 0
    tab.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate(CUT_OFF) == []


def test_an_answer_shows_only_when_it_is_opened(tab, site):
    tab.goto((site / "notebooks" / f"{sorted(NOTEBOOKS.glob('*.ipynb'))[4].stem}.html").as_uri())
    first, outcome = tab.locator(".tag_reveal summary").first, tab.locator(".tag_reveal .cell_output").first
    assert not outcome.is_visible()
    first.click()
    assert outcome.is_visible()
    tab.locator("button.open-reveals").click()
    assert tab.locator(".tag_reveal details:not([open])").count() == 0
    assert tab.locator(".after-reveal:visible").count() == tab.locator(".after-reveal").count()


def test_explanations_stay_folded_with_their_answers(tab, site):
    for path in sorted(NOTEBOOKS.glob("*.ipynb"))[:3]:
        tab.goto((site / "notebooks" / f"{path.stem}.html").as_uri())
        assert tab.locator(".tag_reveal").count() > 0
        assert tab.locator(".tag_reveal + .after-reveal:visible").count() == 0


def test_search_finds_pages_without_a_server(tab, site):
    tab.goto((site / "search.html").as_uri() + "?q=dilation")
    tab.wait_for_selector("#search-results li a")
    assert any("08" in link for link in tab.locator("#search-results li a").all_inner_texts())
