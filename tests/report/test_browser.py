"""The page in Chromium without a network: it asks for nothing, fits a phone, and works."""

import re
from pathlib import Path

import pytest


@pytest.fixture
def show(browser, page):
    """Open a page; afterwards it must have requested only itself, and said nothing."""
    shown = []

    def show(page=page, **options):
        context = browser.new_context(offline=True, **options)
        tab, said, asked = context.new_page(), [], []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", lambda dialog: said.append(dialog.message))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(page.as_uri())
        shown.append((context, said, asked, page))
        return tab

    yield show
    for context, said, asked, page in shown:
        assert (said, asked) == ([], [page.as_uri()])
        context.close()


@pytest.mark.parametrize("kind", ["page", "evaluated", "training"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen(show, width, scheme, kind, request):
    tab = show(request.getfixturevalue(kind), viewport={"width": width, "height": 800}, color_scheme=scheme)
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") == width


def test_tables_are_sorted(show):
    tab = show()
    names = "[...document.querySelectorAll('#group-1 tbody tr')].map(row => row.cells[0].textContent)"
    before = tab.evaluate(names)
    tab.click("#group-1 th:first-child button")
    assert tab.evaluate(names) == sorted(before, reverse=True)
    tab.click("#group-1 th:first-child button")
    assert tab.evaluate(names) == sorted(before)
    assert tab.get_attribute("#group-1 th:first-child", "aria-sort") == "ascending"
    tab.click("#group-1 th:nth-child(2) button")
    counts = tab.evaluate(
        "[...document.querySelectorAll('#group-1 tbody tr')].map(row => +row.cells[1].dataset.value)"
    )
    assert counts == sorted(counts, reverse=True)


def test_words_open_with_the_keyboard(show):
    tab = show()
    tab.focus("#words summary")
    tab.keyboard.press("Enter")
    assert tab.is_visible("#words .review mark")


def test_it_reads_without_scripts(show):
    tab = show(java_script_enabled=False)
    tab.click("#words summary")
    assert tab.is_visible("#words .review")
    assert not tab.is_visible("#read")


def test_it_prints_on_few_pages(show):
    printed = show().pdf(format="Letter")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 6


def test_reviews_are_searched(show):
    tab = show()
    shown = (
        "[...document.querySelectorAll('#read li')].filter(item => !item.hidden).map(item => item.innerText)"
    )
    tab.fill("#read input", "dreadful")
    tab.select_option("#read [aria-label=group]", "plays")
    tab.select_option("#read [aria-label=label]", "negative")
    texts = tab.evaluate(shown)
    assert 0 < len(texts) <= 8
    assert all("dreadful" in text and "plays" in text and text.startswith("negative") for text in texts)
    tab.fill("#read input", "no such word")
    assert tab.evaluate(shown) == []
    assert tab.inner_text("#read [aria-live]") == "0 reviews"


def test_figures_are_saved(show):
    tab = show()
    kinds = {"#time [data-csv]": "\ufeffweek,", "#group-1 .sortable ~ * [data-csv]": "\ufeffsubject"}
    kinds |= dict.fromkeys(("#time [data-svg]", "#group-1 [data-svg]"), "<svg")
    for button, begin in kinds.items():
        with tab.expect_download() as download:
            tab.click(button)
        assert Path(download.value.path()).read_text("utf-8").startswith(begin)


@pytest.mark.parametrize("kind", ["page", "evaluated", "training"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, scheme, kind, request):
    axe = pytest.importorskip("axe_core_python", reason="needs the package axe-core-python")
    context = browser.new_context(bypass_csp=True, offline=True, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(request.getfixturevalue(kind).as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    tab.evaluate(Path(axe.__file__).with_name("axe.min.js").read_text("utf-8"))
    found = tab.evaluate("axe.run().then(result => result.violations)")
    context.close()
    assert [
        (of["id"], of["nodes"][0]["html"]) for of in found if of["impact"] in ("serious", "critical")
    ] == []
