"""The site of the documentation: all pages are there, their links are right, and they load nothing else."""

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import build_site
import pytest
import yaml

import sentcli

ROOT = Path(__file__).parents[1]


class Page(HTMLParser):
    """The links, the anchors and the text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []  # with the page
        self.ids: set[str] = set()
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attributes}
        self.ids |= {of["id"]} if "id" in of else set()
        targets = [of[name] for name in ("href", "src") if of.get(name)]
        targets += [of["srcset"]] if tag == "source" else []
        self.links += targets
        is_loaded = tag in ("script", "img", "iframe", "source") or of.get("rel") == "stylesheet"
        self.loads += targets if is_loaded else []

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("zensical", reason="needs pip install --group docs")
    return build_site.build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def address(page: Path) -> Path:
    """Return the path on the site of a page of the repository."""
    path = page.relative_to(ROOT)
    return (path.parent if path.name == "README.md" else path.with_suffix("")) / "index.html"


def test_each_page_is_on_the_site_with_its_title(site: Path, pages: dict[Path, Page]) -> None:
    for page in build_site.navigation():
        source = page.read_text("utf-8")
        found = pages[site / address(page)]
        headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", source, flags=re.M | re.S), re.M)
        for heading in headings:
            assert re.sub(r"[`*]|\]\(.*?\)", "", heading).strip("[") in found.text, page
        assert len(found.text.split()) > len(source.split()) / 2


def test_each_link_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_relative_to(site), (path, link)
            is_demo = target == site / "demo" / "index.html"  # js/build.js adds it
            assert target.exists() or is_demo, (path, link)
            assert not url.fragment or target not in pages or url.fragment in pages[target].ids, (path, link)


def test_pages_load_nothing_from_other_servers(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        assert not [link for link in page.loads if urlsplit(link).netloc], path


def test_a_link_to_no_file_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "start.md").write_text("# Start\n\n[gone](gone.md)\n")
    (tmp_path / "mkdocs.yml").write_text("nav: [Start: start.md]")
    monkeypatch.setattr(build_site, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"gone\.md"):
        build_site.build(tmp_path / "build")


def test_llms_txt_lists_the_pages() -> None:
    text = (ROOT / "llms.txt").read_text("utf-8")
    listed = {ROOT / target: title for title, target in re.findall(r"^- \[(.*)\]\((.*)\): ", text, re.M)}
    assert list(listed.items()) == list(build_site.navigation().items())


def test_the_citation_has_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert (citation["version"], citation["cff-version"]) == (sentcli.__version__, "1.2.0")


@pytest.fixture
def server(site: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()


def test_no_page_is_wider_than_a_phone(server: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    for source in build_site.navigation():
        page.goto(server + str(address(source).parent) + "/")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, source
    assert not problems


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(server: str, browser: Any, width: int) -> None:
    axe = pytest.importorskip("axe_core_python", reason="needs the package axe-core-python")
    script = Path(axe.__file__).with_name("axe.min.js").read_text("utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    names = (
        "inputs",
        "outputs",
        "speed",
        "training",
        "models",
        "evaluation",
        "explaining",
        "cluster",
        "tasks",
    )
    for name in ("", *(f"docs/{name}/" for name in names)):
        page.goto(server + name)
        page.evaluate(script)
        found = page.evaluate(
            "axe.run().then(result => result.violations.map(of => [of.id, of.nodes[0].html]))"
        )
        assert found == [], name
