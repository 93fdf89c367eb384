"""The module in JavaScript makes the page of `sentcli report`: the same bytes, but for digits of shades."""

import csv
import datetime as dt
import json
import random
import re
import subprocess
from pathlib import Path

import invented
import pytest
import xlsxwriter
from commands import invoke

from sentcli.model.bundle import default_bundle_path

pytestmark = pytest.mark.slow

_SHADE = re.compile(r"(?<=--part:)[\d.e-]+(?=%\">[^%]{1,400}?</mark>)")
_TAILS = (
    " The staff was rude.",
    " The staff was lovely, and the breakfast was great.",
    " 😀 The <b>room</b> was tiny & dirty, the front desk slow.",
    "\nIt isn’t “good” \\ `value`. " * 12,
    "",
)
_SPANISH = (
    "La habitación estaba muy sucia y el personal fue grosero",
    "Un hotel estupendo, la comida era riquísima",
)


def write(path: Path, header, rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def falls(size: int, groups, seed: int):
    """Return rows of groups over a year; the first group falls in the last three."""
    draw = random.Random(seed)
    texts: dict[bool, list[str]] = {True: [], False: []}
    for text, label in invented.reviews(4 * size, seed):
        texts[label == "positive"].append(text)
    rows = []
    for number in range(size):
        group, day = draw.choice(groups), dt.date(2024, 1, 1) + dt.timedelta(draw.randrange(366))
        is_good = draw.random() < (0.35 if group == groups[0] and day >= dt.date(2024, 10, 1) else 0.75)
        text = draw.choice(texts[is_good]) + draw.choice(_TAILS)
        rows.append((number, group, day, 5 if is_good else draw.choice([1, 2]), text))
    return rows


def _falling(folder: Path) -> Path:
    groups = ["Truro", "Bath", "York", 'O\'Hare "x" <b>', ""]
    return write(folder / "falling.csv", ("id", "branch", "date", "stars", "text"), falls(1500, groups, 1))


def _many_groups(folder: Path) -> Path:
    rows = falls(1300, [f"P {number}" for number in range(26)], 2)
    return write(folder / "many.csv", ("id", "product", "when", "rating", "text"), rows)


def _days_first(folder: Path) -> Path:
    rows = [(row[2].strftime("%d/%m/%Y"), row[0] % 11, row[4]) for row in falls(300, ["A"], 3)]
    return write(folder / "survey.csv", ("Date", "How likely are you to recommend us?", "text"), rows)


def _no_dates(folder: Path) -> Path:
    return write(folder / "groups.csv", ("branch", "text"), [row[1::3] for row in falls(400, "ABC", 4)])


def _few(folder: Path) -> Path:
    rows = [("so good, really",), ("",), ("a bad \\ one",), *((text,) for text in _SPANISH * 3)]
    return write(folder / "few.csv", ("text",), rows)


def _no_score(folder: Path) -> Path:
    return write(folder / "none.csv", ("text",), [("zzz qqq",), ("",)])


def _workbook(folder: Path) -> Path:
    path = folder / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("About").write(0, 0, "An export")
        sheet, form = book.add_worksheet("Reviews"), book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
        sheet.write(0, 0, "Our reviews")
        sheet.write_row(2, 0, ["id", "branch", "date", "stars", "text"])
        for place, (number, branch, day, stars, text) in enumerate(falls(400, ["A", "B"], 5), 3):
            sheet.write_row(place, 0, [number, branch, None, stars + 0.5 * (stars < 5), text])
            sheet.write_datetime(place, 2, dt.datetime.combine(day, dt.time(number % 2)), form)
    return path


def report(source: Path, *options: str) -> str:
    """Return the page that the commands make of a file."""
    scored, page = source.with_name(f"scored-{source.name}"), source.with_suffix(".html")
    done = invoke("score", source, "-o", scored, "--text-column", "text", "-q", "--overwrite", *options)
    assert done.exit_code == 0, done.output
    done = invoke("report", scored, "-o", page, "-q", "--overwrite")
    assert done.exit_code == 0, done.output
    return page.read_text("utf-8").replace(scored.name, source.name)


def without_shades(page: str) -> tuple[str, list[float]]:
    """Return a page without the shades of its words, which differ in the last digit; and the shades."""
    return _SHADE.sub("", page), [*map(float, _SHADE.findall(page))]


CASES = {
    "falling": (_falling, ()),
    "neutral": (_falling, ("--neutral",)),
    "many groups": (_many_groups, ()),
    "days first": (_days_first, ()),
    "no dates": (_no_dates, ()),
    "few": (_few, ()),
    "no score": (_no_score, ()),
    "workbook": (_workbook, ()),
}


@pytest.fixture(scope="module")
def pages(js, tmp_path_factory):
    """The source and the page of each case, made by one run of Node.js."""
    folder, files = tmp_path_factory.mktemp("reports"), {}
    for name, (make, options) in CASES.items():
        (folder / name).mkdir()
        source = make(folder / name)
        page = str(source.with_suffix(".page"))
        files[name] = {"path": str(source), "page": page, "column": "text", "neutral": bool(options)}
    (folder / "files.json").write_text(json.dumps([*files.values()]), "utf-8")
    command = ["node", js / "report.js", folder / "files.json", default_bundle_path()]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return {name: (Path(file["path"]), Path(file["page"]).read_text("utf-8")) for name, file in files.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_page_is_that_of_report(pages, name):
    source, page = pages[name]
    (found, shades), (expected, others) = map(without_shades, (page, report(source, *CASES[name][1])))
    assert found == expected
    assert shades == pytest.approx(others, rel=0.01, abs=0.05)


def test_the_planted_fall_is_the_title(pages):
    assert re.search(r"<h1><bdi>Truro</bdi> fell", pages["falling"][1])
