"""The report of a run equals that of its output, also after a stop."""

import json
import re
import time
from html import unescape
from zipfile import ZipFile

import pytest
from commands import fail, invoke
from python_calamine import CalamineWorkbook

from sentcli.errors import StopRequested
from sentcli.runs.output import Output


@pytest.fixture
def source(scored, tmp_path, monkeypatch):
    """The unscored file, alone in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_bytes(scored.with_name("in.csv").read_bytes())
    return tmp_path / "in.csv"


def page_of(name):
    """Return a page without the name of its file."""
    return re.sub(r"(in|out)\.\w+", "FILE", name.read_text("utf-8"))


def score(*arguments, code=0, **options):
    done = invoke("score", *arguments, **options)
    assert done.exit_code == code, done.output
    return done


@pytest.mark.parametrize("output", ["out.csv", "out.jsonl", "out.parquet"])
def test_it_is_the_report_of_the_output(source, tmp_path, output):
    score("in.csv", "-o", output, "--neutral", "--report", "run.html", "--by-time", "when")
    assert invoke("report", output, "-o", "file.html", "--by-time", "when").exit_code == 0
    assert page_of(tmp_path / "run.html") == page_of(tmp_path / "file.html")
    assert "By <bdi>subject</bdi>" in page_of(tmp_path / "run.html")


def test_long_names_of_columns_are_cut(source, tmp_path):
    named = source.read_text().replace("subject", 100_000 * "s", 1).replace("when", 100_000 * "w", 1)
    source.write_text(named)
    score(
        "in.csv", "-o", "out.csv", "--report", "run.html", "--by-time", 100_000 * "w", "--by", 100_000 * "s"
    )
    page = (tmp_path / "run.html").read_text("utf-8")
    assert f"<bdi>{80 * 's'}</bdi>" in page
    assert f"<bdi>{80 * 'w'}</bdi>" in page
    assert max(map(len, re.findall("s+|w+", page))) == 80


def test_a_group_has_the_same_count_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = [("a joy, all of it", "York"), ("", "York"), ("dreadful and rude", "Leeds")] * 6 + [
        ("", "Hull")
    ] * 2
    rows = [{"review": text, "town": town} for text, town in texts]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    done = score("in.jsonl", "-o", "out.xlsx", "--by", "town", "--report", "run.html")
    sheet = CalamineWorkbook.from_path(tmp_path / "out.xlsx").get_sheet_by_name("Summary").to_python()
    page = (tmp_path / "run.html").read_text("utf-8")
    for town, count in (("York", 12), ("Leeds", 6), ("Hull", 2)):
        assert re.search(rf"^{town} +{count} ", done.stderr, re.MULTILINE)
        assert [town, float(count)] in [cells[:2] for cells in sheet]
        assert re.search(
            rf'<bdi>{town}</bdi></td><td class="right quiet" data-value="{count}">{count}<', page
        )
    assert "Reviews without a score count as reviews, but not in the share." in page


def test_a_workbook_opens_on_what_its_report_says(source, tmp_path):
    score(
        "in.csv", "-o", "out.xlsx", "--report", "run.html", "--by", "subject", "--about", "acting=acting,cast"
    )
    book = CalamineWorkbook.from_path(tmp_path / "out.xlsx")
    rows = book.get_sheet_by_name("Summary").to_python()
    (title,) = re.findall("<h1>(.*?)</h1>", (tmp_path / "run.html").read_text("utf-8"))
    assert book.sheet_names == ["Sheet1", "Summary"]
    assert title in [cells[0] for cells in rows]
    assert ["subject", "complain", "praise", "sentence"] in [cells[:4] for cells in rows]
    assert "acting" in [cells[0] for cells in rows]
    with ZipFile(tmp_path / "out.xlsx") as parts:
        assert 'activeTab="1"' in parts.read("xl/workbook.xml").decode()
        charts = [parts.read(name).decode() for name in parts.namelist() if "charts/chart" in name]
    assert len(charts) == 4  # of labels, of months, of groups and of the subjects that the user named
    assert ["week", "rows", "positive"] in [cells[:3] for cells in rows]
    assert sum(cells[:2] == ["subject", "rows"] for cells in rows) == 1
    assert all("0B7A75" in chart for chart in charts)
    before = (tmp_path / "out.xlsx").read_bytes()
    score(
        "in.csv",
        "-o",
        "out.xlsx",
        "--report",
        "run.html",
        "--by",
        "subject",
        "--about",
        "acting=acting,cast",
        "--overwrite",
    )
    assert (tmp_path / "out.xlsx").read_bytes() == before


def test_a_workbook_says_the_same_without_the_page(source, tmp_path):
    options = ["--about", "acting=acting,cast", "--since", "2026-01-01"]
    score("in.csv", "-o", "out.xlsx", "--report", "run.html", *options)
    score("in.csv", "-o", "alone.xlsx", *options)
    books = [(tmp_path / name).read_bytes() for name in ("out.xlsx", "alone.xlsx")]
    assert books[0] == books[1]


def test_a_workbook_has_the_groups_that_its_report_found(source, tmp_path):
    score("in.csv", "-o", "out.xlsx", "--report", "run.html")
    rows = CalamineWorkbook.from_path(tmp_path / "out.xlsx").get_sheet_by_name("Summary").to_python()
    (table,) = (place for place, cells in enumerate(rows) if cells[:2] == ["subject", "rows"])
    page = (tmp_path / "run.html").read_text("utf-8")
    names = [unescape(name) for name in re.findall(r'<bdi>([^/]*)</bdi></td><td class="right quiet"', page)]
    assert len(names) > 1
    assert {*names} <= {cells[0] for cells in rows[table + 1 :]}


def test_rows_in_another_language_are_counted_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spanish = ["El hotel estaba sucio y el personal fue grosero", "No funciona, una estafa", "Todo bien"]
    texts = [*["The hotel was clean, and the staff was kind."] * 40, *spanish, ""]
    rows = [{"review": text, "town": "York"} for text in texts]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    done = score("in.jsonl", "-o", "out.xlsx", "--report", "run.html", "--summary", "run.json")
    assert "3 of 44 rows are perhaps in another language" in done.stderr
    assert json.loads((tmp_path / "run.json").read_text())["other_language"] == 3
    sheet = CalamineWorkbook.from_path(tmp_path / "out.xlsx").get_sheet_by_name("Summary").to_python()
    assert ["perhaps in another language", 3.0] in [cells[:2] for cells in sheet]
    assert invoke("report", "out.xlsx", "-o", "file.html").exit_code == 0
    for page in ("run.html", "file.html"):
        assert "7\N{NO-BREAK SPACE}% of the reviews are perhaps in another language" in (
            tmp_path / page
        ).read_text("utf-8")


def test_a_run_that_was_stopped_and_continued_has_the_same_page(source, tmp_path, monkeypatch):
    score("in.csv", "-o", "out.csv", "--report", "whole.html")
    (tmp_path / "out.csv").unlink()
    write, count = Output.write, []

    def stopping(self, chunk, results):
        count.append(chunk)
        if len(count) == 2:
            raise StopRequested(15)
        write(self, chunk, results)

    monkeypatch.setattr(Output, "write", stopping)
    monkeypatch.setattr("sentcli.runs.ledger.COMMIT_SECONDS", 0)
    monkeypatch.setattr("sentcli.tables.chunk._SMALL_BYTES", 0)  # more than one chunk
    score("in.csv", "-o", "out.csv", "--report", "run.html", code=143)
    assert not (tmp_path / "run.html").exists()
    monkeypatch.setattr(Output, "write", write)
    assert "continuing after 512 rows" in score("in.csv", "-o", "out.csv", "--report", "run.html").stderr
    assert (tmp_path / "run.html").read_bytes() == (tmp_path / "whole.html").read_bytes()


def test_a_stopped_run_may_continue_without_its_report(source, tmp_path):
    """The rows do not depend on it."""
    score("in.csv", "-o", "a.csv", "--report", "run.html")
    score("in.csv", "-o", "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_pipe_has_the_columns_that_the_user_names(source, tmp_path):
    data = source.read_bytes()
    score("--input-format", "csv", "--report", "pipe.html", "--by", "subject", stdin=data)
    page = (tmp_path / "pipe.html").read_text("utf-8")
    assert "in <bdi>standard input</bdi>" in page
    assert "By <bdi>subject</bdi>" in page
    assert "Over time" not in page


def test_lines_have_no_columns(source, tmp_path):
    score(*("-o", "out.txt", "--report", "lines.html"), stdin="an absolute joy, all of it and more\n")
    assert "1 review in" in (tmp_path / "lines.html").read_text("utf-8")
    dates = ("--report", "x.html", "--by-time", "when")
    failure = fail("score", "-", *dates, stdin="a joy\n")
    assert "no column 'when'; the columns are 'text'; try another --by-time" in failure.message


def test_a_folder_has_no_report(source):
    failure = fail("score", "in.csv", "-o", "out/", "--report", "run.html")
    assert "--report shows one output" in failure.message


@pytest.mark.parametrize("name", ["in.csv", "out.csv", "no/such.html", "out.csv.rejects.jsonl"])
def test_places_that_cannot_be_written(source, name):
    before = source.read_bytes()
    fail("score", "in.csv", "-o", "out.csv", "--report", name)
    assert source.read_bytes() == before
    assert [file.name for file in source.parent.iterdir()] == ["in.csv"]


def test_an_existing_report_is_kept(source, tmp_path):
    (tmp_path / "run.html").write_text("mine")
    assert "run.html exists" in fail("score", "in.csv", "-o", "out.csv", "--report", "run.html").message
    score("in.csv", "-o", "out.csv", "--report", "run.html", "--overwrite")
    assert (tmp_path / "run.html").stat().st_size > 1000


def test_dates_without_a_report(source):
    assert "add --report report.html" in fail("score", "in.csv", "--by-time", "when").message
    assert "add --report report.html" in fail("score", "in.csv", "--since", "1y").message


def test_a_run_compares_the_period_that_the_user_names(source, tmp_path):
    arguments = ("--by-time", "when", "--since", "2024-05-10")
    done = score("in.csv", "-o", "out.csv", "--report", "run.html", *arguments)
    assert re.search(
        r"run.html: 902 reviews, \d+ kB; groups in 'subject'; dates in 'when'; stars in", done.stderr
    )
    assert invoke("report", "out.csv", "-o", "file.html", *arguments).exit_code == 0
    assert page_of(tmp_path / "run.html") == page_of(tmp_path / "file.html")
    assert "since 10 May 2024" in (tmp_path / "run.html").read_text("utf-8")


def test_the_speed_is_that_of_the_rows(source, tmp_path, monkeypatch):
    """The page takes seconds, however few the rows are."""
    clock, late = time.perf_counter, []
    monkeypatch.setattr(time, "perf_counter", lambda: clock() + 1000 * len(late))
    monkeypatch.setattr("sentcli.report.rows.render_scored", lambda *_: late.append(1) or (b"page", []))
    score("in.csv", "-o", "out.csv", "--report", "run.html", "--summary", "run.json")
    assert (tmp_path / "run.html").read_bytes() == b"page"
    assert json.loads((tmp_path / "run.json").read_text())["seconds"] < 1000


def test_more_than_two_labels_are_refused(source, trained_three):
    model = ("--model", trained_three.path)
    refused = "for models with two labels, not 3"
    assert refused in fail("score", "in.csv", "-o", "out.csv", "--report", "x.html", *model).message
    score("in.csv", "-o", "out.csv", *model)
    assert refused in fail("report", "out.csv", "-o", "x.html", *model).message


def test_a_period_for_a_workbook_needs_two_labels(tmp_path, trained_three):
    (tmp_path / "in.csv").write_text("review\nlovely\n", "utf-8")
    command = ["score", tmp_path / "in.csv", "--model", trained_three.path, "-o", tmp_path / "out.xlsx"]
    assert "two labels" in fail(*command, "--since", "2026-01-01").message
    assert invoke(*command).exit_code == 0
