"""The page of js/ in Chromium: the scores of `sentcli score`, nothing sent, and a layout for each screen."""

import csv
import datetime as dt
import decimal
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo import build, compare, open_page, score_file, serve
from test_golden_ids import GOLDEN
from test_report import CASES, report, without_shades

from sentcli.__main__ import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(js, tmp_path_factory):
    with serve(build(tmp_path_factory.mktemp("site") / "demo").parent) as (address, asked):
        yield f"{address}demo/", asked


@pytest.fixture(scope="module")
def offline(browser, site):
    """The page after it has loaded, with the network off; it must say nothing and ask for nothing."""
    context = browser.new_context()
    tab = open_page(context, site[0])
    context.set_offline(True)
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    yield tab
    assert (said, asked) == ([], [])
    context.close()


def _score(source: Path) -> Path:
    expected = source.with_name(f"{source.name}.expected.csv")
    with pytest.raises(SystemExit) as done:
        main(["score", str(source), "-o", str(expected), "--text-column", "text", "-q"])
    assert done.value.code in (0, None)
    return expected


def _differences(tab, source: Path) -> dict[str, object]:
    found = source.with_name("found.csv")
    score_file(tab, source, found)
    differences = compare(found, _score(source))
    assert differences.pop("largest_difference") <= 1e-4
    assert differences.pop("rows") > 0
    return differences


def test_a_csv_file_is_that_of_score(offline, tmp_path):
    source = tmp_path / "odd.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "some,name", "text"])
        texts = [entry["text"] for entry in json.loads(GOLDEN.read_text("utf-8"))["texts"]]
        texts = [text.replace("\r", " ").replace("\x00", "") for text in texts]
        writer.writerows([number, f'"{number}"', f"{text} good {text}"] for number, text in enumerate(texts))
        writer.writerows([number, "", text] for number, text in enumerate(texts))
    assert _differences(offline, source) == {
        "labels_different": 0,
        "scores_on_one_side": 0,
        "other_columns_different": 0,
        "equal_bytes_without_scores": True,
    }


def test_a_parquet_file_has_the_values_of_score(offline, tmp_path):
    source = tmp_path / "types.parquet"
    times = [dt.datetime(2024, 1, 31, 10, 20, 30, 123456), None, dt.datetime(1969, 12, 31, 23, 59, 59, 1)]
    columns = {
        "text": pa.array(["a good one, really", None, 'so "bad"\nit hurts']),
        "whole": pa.array([1, None, 2**62]),
        "real": pa.array([1.0, 0.1, None]),
        "short": pa.array([19.99, None, 0.1], pa.float32()),
        "price": pa.array([decimal.Decimal("19.90"), None, decimal.Decimal("-0.05")], pa.decimal128(12, 2)),
        "flag": pa.array([True, None, False]),
        "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1960, 1, 1)]),
        "micro": pa.array(times, pa.timestamp("us")),
        "milli": pa.array([time and time.replace(microsecond=5000) for time in times], pa.timestamp("ms")),
        "zone": pa.array(times, pa.timestamp("us", "Europe/Paris")),
        "clock": pa.array([dt.time(10, 20, 30, 5), None, dt.time(0)], pa.time64("us")),
        "blob": pa.array([b"\x00\xff", None, b""], pa.binary()),
        "list": pa.array([["a", 'b"'], None, []]),
        "struct": pa.array([{"n": 1, "s": "x"}, None, {"n": None, "s": "y"}]),
        "deep": pa.array([{"n": 2**60}, None, {"n": 1}]),
        "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), source, compression="zstd", row_group_size=2)
    found, expected = tmp_path / "found.csv", _score(source)
    score_file(offline, source, found)
    rows, others = ([*csv.reader(path.open(encoding="utf-8", newline=""))] for path in (found, expected))
    for row, other in zip(rows, others, strict=True):
        assert row[:-1] == other[:-1]
    assert compare(found, expected)["largest_difference"] <= 1e-4


@pytest.mark.parametrize("name", ["falling", "workbook"])
def test_a_file_ends_in_its_report(offline, tmp_path, name):
    source = CASES[name][0](tmp_path)
    score_file(offline, source, tmp_path / "found.csv")
    with offline.expect_popup() as opened:
        offline.click("#report")
    page, said = opened.value, []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.reload()  # with its messages
    assert page.title() == f"Reviews in {source.name}"
    assert page.url.startswith("blob:")
    page.fill("#read input", "room")  # hidden without the script of the page
    assert "reviews" in page.inner_text("#read [aria-live]")
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.stack i')).width)") > 1
    assert page.evaluate("fetch('https://a.example/').then(() => 'sent', () => 'refused')") == "refused"
    assert not [message for message in said if "a.example" not in message]
    page.close()
    with offline.expect_download() as download:
        offline.click("text=Download report.html")
    saved = Path(download.value.path()).read_text("utf-8")
    assert without_shades(saved)[0] == without_shades(report(source))[0]


def test_pasted_lines_are_texts(offline):
    offline.click(".paste summary")
    offline.fill("#lines", 'So "good", really\n\n  a bad thing\nfine now')
    offline.click("#take")
    offline.wait_for_selector("#choice:not([hidden])")
    offline.click("#start")
    offline.wait_for_selector("#report")
    assert "3 rows" in offline.inner_text("#file-status")
    assert 'So "good", really' in offline.inner_text("#result table")


def test_rows_that_do_not_fit_are_counted(offline, tmp_path):
    source = tmp_path / "bad.csv"
    source.write_text("id,text\n1,good one\n2,too,many\n", "utf-8")
    score_file(offline, source, tmp_path / "found.csv")
    assert "1 row could not be read: bad-rejects.jsonl" in offline.inner_text("#result")
    with offline.expect_download() as download:
        offline.click("text=bad-rejects.jsonl")
    (rejected,) = Path(download.value.path()).read_text("utf-8").splitlines()
    where = {"line": 3, "offset": 19}
    assert json.loads(rejected) == {**where, "reason": "3 fields instead of 2", "raw": "2,too,many\n"}
    assert "line 3: 3 fields instead of 2" in offline.inner_text("#rejected")
    assert "2,too,many" in offline.inner_text("#rejected")


def test_a_file_in_another_encoding_is_refused(offline, tmp_path):
    source = tmp_path / "latin.csv"
    source.write_bytes("id,text\n1,café was good\n".encode("cp1252"))
    offline.set_input_files("#file", source)
    offline.wait_for_selector("#file-status.error")
    assert "not UTF-8" in offline.inner_text("#file-status")
    assert not offline.is_visible("#choice")


def test_a_text_is_explained_as_it_is_typed(offline):
    offline.fill("#text", "The <b>food</b> was awful")
    offline.wait_for_selector("#explanation mark.against >> text=awful")
    assert offline.inner_text(".read") == "The <b>food</b> was awful"
    assert offline.inner_text(".verdict b") == "negative"
    offline.fill("#text", "N/A")
    offline.wait_for_selector("#explanation >> text=No score")


def test_nothing_can_be_sent(browser, site):
    address, asked = site
    context = browser.new_context()
    tab = open_page(context, address)
    before = [*asked]
    attempt = f"fetch('{address}?secret').then(() => 'sent', () => 'refused')"
    (worker,) = tab.workers
    assert [tab.evaluate(attempt), worker.evaluate(attempt)] == ["refused", "refused"]
    assert asked == before
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen_and_axe_finds_nothing(browser, site, tmp_path, width, scheme):
    axe = pytest.importorskip("axe_core_python", reason="needs the package axe-core-python")
    viewport = {"width": width, "height": 800}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True)
    tab = open_page(context, site[0])
    source = tmp_path / f"{'long-name-' * 9}.csv"
    source.write_text(f"id,text\n1,{'verylongword' * 20} was good\n2,really bad thing\n3,N/A\n", "utf-8")
    tab.check("#neutral")
    score_file(tab, source, tmp_path / "found.csv")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    tab.evaluate(Path(axe.__file__).with_name("axe.min.js").read_text("utf-8"))
    found = tab.evaluate("axe.run().then(result => result.violations)")
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
    context.close()
