"""Files of reviews as people have them, each with the bytes that its real program writes.

A shape names the columns of an export, each with the kind of its values; a `*` marks the texts. The writers
imitate programs: quotes, delimiters, encodings, line ends, wrappers. All values are invented.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import math
import pickle
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
from workbooks import Formula, workbook

Row = dict[str, Any]

TEXTS = (
    "Works as it should, and the battery lasts for days.",
    "Broke after a week; the shop did not answer my letters.",
    'She said "never again", and I agree: a waste of money.',
    "Lovely colours, and a great fit.",
    "The café was wonderful, and the crème brûlée too.",
    "Terrible. Cold coffee, rude staff, dirty tables.",
    "",
    "I would buy this again. My sister did the same within a month of seeing it.",
    "Don't buy this, it is awful!",
    "An absolute joy from the first day to the last.",
    "Horrible smell, and it leaks.",
    "Perfect for small rooms, easy to clean, and cheap.",
)
OTHER_TEXTS = (
    "The handle could be longer, and the lid does not close.",
    "Nothing, really, all of it was as good as it gets.",
    "Answer the phone, and train the new staff at the front desk.",
    "More colours would be nice, and larger sizes for men.",
    "I would like to see the price on the first page and not at the very end.",
    "Everything from the food to the music should be better.",
) * 2
START = datetime(2024, 3, 1, 9, 30)

KINDS: dict[str, Callable[[int], Any]] = {
    "texts": lambda place: TEXTS[place],
    "others": lambda place: OTHER_TEXTS[place],
    "html": lambda place: f"<p>{TEXTS[place]}</p>" if TEXTS[place] else "",
    "number": lambda place: place + 1,
    "id": lambda place: f"R{7919 * (place + 3)}X",
    "code": lambda place: f"{place + 1:05}",  # leading zeros
    "long": lambda place: 10**17 + place,
    "stars": lambda place: 1 + 3 * place % 5,
    "decimal": lambda place: 1.5 + place / 4,
    "flag": lambda place: place % 3 > 0,
    "date": lambda place: f"{START + timedelta(place):%Y-%m-%d}",
    "time": lambda place: f"{START + timedelta(place):%Y-%m-%dT%H:%M:%SZ}",
    "when": lambda place: START + timedelta(place),
    "epoch": lambda place: 1_709_285_400 + 86_400 * place,
    "title": lambda place: ("Nice", "Never again", "Too small", "Fine")[place % 4],
    "product": lambda place: ("Acme Steel Kettle", "Desk Lamp")[place % 2],
    "person": lambda place: ("Ada L.", "Bob Müller", "Cy Young", "Dee")[place % 4],
    "mail": lambda place: f"person{place}@example.org",
    "link": lambda place: f"https://example.org/a/{place}?b=c",
    "town": lambda place: ("Leeds", "York", "Zürich")[place % 3],
    "empty": lambda place: "",
    "null": lambda place: None,
    "list": lambda place: [f"https://example.org/{place}.jpg"] if place % 4 else [],
}


def rows_of(shape: str) -> list[Row]:
    """Return twelve records of a shape: `id=number, body*=texts`; dots in names make objects."""
    rows: list[Row] = []
    for place in range(len(TEXTS)):
        rows.append({})
        for column in shape.split(", "):
            name, _, kind = column.replace("*", "").rpartition("=")
            inner, *path = [rows[-1], *name.split(".")] if "." in name else [rows[-1], name]
            for key in path[:-1]:
                inner = inner.setdefault(key, {})
            inner[path[-1]] = KINDS[kind](place)
    return rows


@dataclass(frozen=True)
class Example:
    """A file, what its owner types first, and what has to come out.

    :param title: the program, and what is special.
    :param name: of the file or folder.
    :param output: what follows `-o`.
    :param make: writes the file, given its path.
    :param rows: the records of the output, without the new columns.
    :param texts: what has to be scored, in the order of the rows.
    :param asks: whether the right answer is a command or an option to add, because the file cannot be read,
        or can mean two things.
    :param said: what standard error has to say of it.
    :param dialect: of the output, for the csv module, and its encoding.
    """

    title: str
    name: str
    output: str
    make: Callable[[Path], object]
    rows: Sequence[Row]
    texts: Sequence[str] = TEXTS
    asks: bool = False
    said: str = ""
    dialect: dict[str, str] = field(default_factory=dict)
    needs: str = ""  # a package


EXAMPLES: list[Example] = []


def add(title: str, name: str, output: str, make: Callable[[Path], object], rows: Any, **more: Any) -> None:
    EXAMPLES.append(Example(title, name, output, make, rows_of(rows) if type(rows) is str else rows, **more))


# CSV


def as_text(value: Any) -> str:
    """Return a cell as pandas writes it."""
    return "" if value is None else str(value)


def csv_text(rows: Sequence[Row], show: Callable[[Any], str] = as_text, **dialect: Any) -> str:
    file = io.StringIO()
    writer = csv.writer(file, **{"lineterminator": "\n", **dialect})
    writer.writerows([[*rows[0]], *([show(value) for value in row.values()] for row in rows)])
    return file.getvalue()


def add_csv(
    title: str,
    name: str,
    shape: str | list[Row],
    show: Callable[[Any], str] = as_text,
    encoding: str = "utf-8",
    pack: Callable[[bytes], bytes] = bytes,
    **more: Any,
) -> None:
    """Add a table of text; `more` holds the dialect and fields of an example."""
    rows = rows_of(shape) if isinstance(shape, str) else shape
    dialect = {key: more.pop(key) for key in [*more] if key in vars(csv.Dialect) or key == "quoting"}
    output = more.pop("output", f"out{''.join(Path(name).suffixes)}")
    wrap = more.pop("wrap", lambda text: text)
    data = pack(wrap(csv_text(rows, show, **dialect)).encode(encoding))
    read = {key: value for key, value in dialect.items() if key == "delimiter"} | {"encoding": encoding}
    shown = [{key: show(value) for key, value in row.items()} for row in rows]
    add(title, name, output, lambda path: path.write_bytes(data), shown, dialect=read, **more)


def as_r(value: Any) -> str:
    return "NA" if value is None else str(value).upper() if isinstance(value, bool) else str(value)


def as_r_with_commas(value: Any) -> str:
    return as_r(value).replace(".", ",") if isinstance(value, float) else as_r(value)


def as_rust(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else as_text(value)


def r_csv(rows: Sequence[Row], show: Callable[[Any], str], sep: str) -> str:
    """Return what write.csv writes: strings in quotes, numbers and NA without."""
    lines = [sep.join(f'"{name}"' for name in rows[0])]
    for row in rows:
        cells = [
            '"{}"'.format(value.replace('"', '""')) if isinstance(value, str) else show(value)
            for value in row.values()
        ]
        lines.append(sep.join(cells))
    return "\n".join(lines) + "\n"


PRODUCT = "id=number, product=product, stars=stars, price=decimal, verified=flag, review*=texts, date=date"
add_csv("pandas, to_csv with its index", "pandas.csv", f"=number, {PRODUCT}")
add_csv("polars, write_csv", "polars.csv", PRODUCT, as_rust)
add_csv("DuckDB, COPY TO csv", "duckdb.csv", f"{PRODUCT}, reply=null", as_rust)
for _title, _name, _show, _sep in (
    ("R, write.csv", "r.csv", as_r, ","),
    ("R, write.csv2: semicolons, decimal commas, quotes", "r2.csv", as_r_with_commas, ";"),
):
    _rows = [{"": str(row["id"]), **row} for row in rows_of(f"{PRODUCT}, reply=null")]
    _data = r_csv(_rows, _show, _sep).encode()
    add(
        *(_title, _name, "out.csv", lambda path, data=_data: path.write_bytes(data)),
        [{key: _show(value) for key, value in row.items()} for row in _rows],
        dialect={"delimiter": _sep},
    )
JUDGEME = (
    "title=title, body*=texts, rating=stars, review_date=date, source=town, curated=flag, "
    "reviewer_name=person, reviewer_email=mail, product_id=long, product_handle=product, reply=empty, "
    "picture_urls=link"
)
add_csv("Judge.me", "judgeme.csv", JUDGEME)
add_csv(
    "Yotpo",
    "yotpo.csv",
    "Review ID=long, Published=flag, Review Title=title, Review Content*=texts, Review Score=stars, "
    "Reviewer Display Name=person, Product Title=product, Comment Content=empty",
)
add_csv(
    "Trustpilot Business",
    "trustpilot.csv",
    "Review Id=id, Review Created (UTC)=time, Review Consumer User Name=person, Review Title=title, "
    "Review Content*=texts, Review Stars=stars, Company Reply Date (UTC)=empty, Tags=empty",
)
GOOGLE_PLAY = (
    "Package Name=product, App Version Code=number, Reviewer Language=town, Device=product, "
    "Review Submit Date and Time=time, Star Rating=stars, Review Title=empty, Review Text*=texts, "
    "Developer Reply Date and Time=empty, Developer Reply Text=empty, Review Link=link"
)
add_csv("Google Play Console: UTF-16", "reviews_app_202403.csv", GOOGLE_PLAY, encoding="utf-16")
add_csv(
    "Google Forms, one question",
    "forms.csv",
    "Timestamp=time, How satisfied are you?=stars, Any other comments?*=texts",
    quoting=csv.QUOTE_ALL,
)
add_csv(
    "Google Forms, two questions",
    "forms2.csv",
    "Timestamp=time, What did you like?*=texts, What can we improve?=others",
    quoting=csv.QUOTE_ALL,
    asks=True,
)
QUALTRICS = "StartDate=time, Status=town, ResponseId=id, Finished=flag, Q1=stars, Q2_TEXT*=texts"
_names = ["Start Date", "Response Type", "Response ID", "Finished", "How satisfied?", "What can we improve?"]
_ids = [
    f'{{"ImportId":"{name}"}}' for name in ("startDate", "status", "_recordId", "finished", "QID1", "QID2")
]
_columns = [*rows_of(QUALTRICS)[0]]
add_csv(
    "Qualtrics: three header rows",
    "qualtrics.csv",
    [*(dict(zip(_columns, row, strict=True)) for row in (_names, _ids)), *rows_of(QUALTRICS)],
    texts=["", "", *TEXTS],
    said="--skip-rows 2",
)
KINDS |= {
    "sent": lambda place: f"Hi {NAMES[place % 4]}, thanks for your order {place}. Tell us how it was.",
    "called": lambda place: ("Voucher sent", "Called back, no answer", "Refunded by post")[place % 3],
    "chosen": lambda place: ";".join(CHOICES[place % 3 : 1 + place % 4]),
}
NAMES, CHOICES = ("Ada", "Bob", "Cy", "Dee"), ("Easy to use", "Friendly staff", "Good value for money")
add_csv(
    "SurveyMonkey, with notes of the staff in Comments",
    "notes.csv",
    "Respondent ID=number, Please tell us about your experience with us*=texts, Comments=called",
    asks=True,
)
add_csv(
    "an SMS gateway: the message is sent from a template",
    "sms.csv",
    "Phone=code, Message=sent, Sent at=time, Customer said*=texts",
    said="texts taken from 'Customer said'",
)
add_csv(
    "NPS: a comment that is blank", "nps.csv", "Score=stars, Comment*=empty, Device=product", texts=12 * [""]
)
add_csv(
    "Google Forms: boxes to tick and a question",
    "ticked.csv",
    "Timestamp=time, What do you value?=chosen, Anything else?*=texts",
    said="texts taken from 'Anything else",
)
_survey = rows_of("Respondent ID=number, How was it?=stars, What can we do better?*=texts")
_second = dict(zip(_survey[0], ("", "Response", "Open-Ended Response"), strict=True))
add_csv(
    "SurveyMonkey: a second header",
    "monkey.csv",
    [_second, *_survey],
    texts=["", *TEXTS],
    said="--skip-rows 1",
)
_bare = [{"1": text} for text in TEXTS]
add(
    *("one column of texts without a header", "bare.csv", "out.csv"),
    lambda path: path.write_text(csv_text(_bare, quoting=csv.QUOTE_ALL).partition("\n")[2], "utf-8"),
    _bare,
    dialect={"header": ""},
    asks=True,
)
SIMPLE = "id=number, stars=stars, name=person, text*=texts"
add_csv(
    "Excel, sep=; in the first line", "sep.csv", SIMPLE, delimiter=";", wrap=lambda text: f"sep=;\n{text}"
)
add_csv(
    "Excel in Germany: cp1252, semicolons",
    "german.csv",
    "Nr=code, Sterne=stars, Preis=decimal, Kunde=person, Bewertung*=texts",
    as_r_with_commas,
    "cp1252",
    delimiter=";",
    lineterminator="\r\n",
)
_few = rows_of("id=number, stars=stars, review*=texts")
add_csv("Excel, cp1252 with accents in one row of twelve", "accents.csv", _few, encoding="cp1252")
add_csv("TSV", "reviews.tsv", SIMPLE, delimiter="\t")
add_csv("Excel, UTF-8 with BOM", "bom.csv", SIMPLE, encoding="utf-8-sig", lineterminator="\r\n")
add_csv(
    "Excel, Unicode Text", "unicode.txt", SIMPLE, encoding="utf-16", delimiter="\t", lineterminator="\r\n"
)
add_csv("line ends of two systems", "mixed.csv", SIMPLE, wrap=lambda text: text.replace("\n", "\r\n", 5))
add_csv("gzip", "reviews.csv.gz", SIMPLE, pack=gzip.compress)
add_csv("Zstandard", "reviews.csv.zst", SIMPLE, pack=lambda data: pa.compress(data, "zstd", asbytes=True))
add_csv("bzip2", "reviews.csv.bz2", SIMPLE, pack=bz2.compress, output="out.csv")
add_csv("xz", "reviews.csv.xz", SIMPLE, pack=lzma.compress, output="out.csv")


def zipped(*names: str) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, data)
        return file.getvalue()

    return pack


add_csv("zip with one file", "one.zip", SIMPLE, pack=zipped("reviews.csv"), output="out.csv")
_rows = rows_of(SIMPLE)
_data = zipped("a.csv", "b.csv")(csv_text(_rows).encode())
add(
    *("zip with two files", "two.zip", "out.csv", lambda path: path.write_bytes(_data)),
    2 * [{key: str(value) for key, value in row.items()} for row in _rows],
    texts=2 * TEXTS,
)


def mysql(rows: Sequence[Row]) -> str:
    """Return what SELECT INTO OUTFILE writes: backslashes, \\N, no header."""

    def cell(value: Any) -> str:
        if value is None:
            return r"\N"
        text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\\n")
        return f'"{text}"' if isinstance(value, str) else text

    return "".join(",".join(map(cell, row.values())) + "\n" for row in rows)


_mysql = rows_of("1=number, 2*=texts, 3=stars, 4=date, 5=null")
add(
    *("MySQL, INTO OUTFILE: backslashes, no header", "mysql.csv", "out.csv"),
    lambda path: path.write_text(mysql(_mysql)),
    [{key: "N" if value is None else str(value) for key, value in row.items()} for row in _mysql],
    dialect={"escapechar": "\\", "header": ""},
    asks=True,
)
_jq = rows_of("1=number, 2*=texts, 3=stars, 4=person")
add(
    *("jq @csv, no header", "jq.csv", "out.csv"),
    lambda path: path.write_text(csv_text(_jq, quoting=csv.QUOTE_NONNUMERIC).partition("\n")[2]),
    [{key: str(value) for key, value in row.items()} for row in _jq],
    dialect={"header": ""},
    asks=True,
)

# JSON


def add_json(
    title: str, name: str, shape: str | list[Row], wrap: Callable[..., Any] = list, **more: Any
) -> None:
    rows = rows_of(shape) if isinstance(shape, str) else shape
    data = json.dumps(wrap(rows), indent=more.pop("indent", None), ensure_ascii=False).encode()
    add(title, name, "out.json", lambda path: path.write_bytes(data), rows, **more)


def add_lines(
    title: str, name: str, shape: str | list[Row], pack: Callable[[bytes], bytes] = bytes, **more: Any
) -> None:
    rows = rows_of(shape) if isinstance(shape, str) else shape
    data = pack("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    output = more.pop("output", f"out{''.join(Path(name).suffixes)}")
    add(title, name, output, lambda path: path.write_bytes(data), rows, **more)


add_json(
    "App Store Connect",
    "appstore.json",
    "type=town, id=id, attributes.rating=stars, attributes.title=title, attributes.body*=texts, "
    "attributes.reviewerNickname=person, attributes.createdDate=time, links.self=link",
    lambda rows: {"data": rows, "links": {"next": "https://example.org"}, "meta": {"paging": {"total": 12}}},
)
add_json(
    "Steam",
    "steam.json",
    "recommendationid=id, author.steamid=long, author.playtime_forever=number, language=town, review*=texts, "
    "timestamp_created=epoch, voted_up=flag, weighted_vote_score=decimal",
    lambda rows: {"success": 1, "query_summary": {"num_reviews": 12}, "reviews": rows, "cursor": "AoJ4"},
)
add_json(
    "Bluesky",
    "bluesky.json",
    "post.uri=link, post.cid=id, post.author.handle=person, post.record.text*=texts, "
    "post.record.createdAt=time, post.likeCount=number",
    lambda rows: {"feed": rows, "cursor": "2024-03-01"},
)
add_json(
    "Mastodon: HTML",
    "mastodon.json",
    "id=id, created_at=time, sensitive=flag, uri=link, content*=html, account.acct=person, tags=list, "
    "card=null",
    texts=[f"<p>{text}</p>" if text else "" for text in TEXTS],
)
add_json(
    "Intercom: HTML",
    "intercom.json",
    "type=town, id=id, created_at=epoch, source.type=town, source.body*=html, source.author.email=mail, "
    "open=flag",
    lambda rows: {
        "type": "conversation.list",
        "pages": {"next": None},
        "conversations": rows,
        "total_count": 12,
    },
    texts=[f"<p>{text}</p>" if text else "" for text in TEXTS],
)
AMAZON = (
    "rating=decimal, title=title, text*=texts, images=list, asin=id, parent_asin=id, user_id=id, "
    "timestamp=epoch, helpful_vote=number, verified_purchase=flag"
)
add_lines("Amazon 2023", "Appliances.jsonl", AMAZON)
add_lines(
    "Yelp: lines called .json",
    "yelp_academic_dataset_review.json",
    "review_id=id, user_id=id, business_id=id, stars=decimal, useful=number, funny=number, cool=number, "
    "text*=texts, date=date",
)
REDDIT = (
    "author=person, subreddit=town, body*=texts, score=number, created_utc=epoch, id=id, link_id=id, "
    "stickied=flag, distinguished=null, edited=flag"
)
for _title, _name, _output in (
    ("Reddit, .jsonl.zst", "comments.jsonl.zst", "out.jsonl.zst"),
    ("Reddit, RC_2017-01.zst", "RC_2017-01.zst", "out.jsonl"),
):
    add_lines(_title, _name, REDDIT, lambda data: pa.compress(data, "zstd", asbytes=True), output=_output)
_zendesk = rows_of(
    "url=link, id=number, created_at=time, subject=title, description*=texts, priority=null, "
    "satisfaction_rating.score=town, satisfaction_rating.comment=others, tags=list"
)
add_json(
    *("Zendesk: a description and a comment", "zendesk.json", _zendesk),
    lambda rows: {"tickets": rows, "next_page": None, "count": 12},
    asks=True,
)
SHOP = "id=id, author=person, rating=stars, title=title, body*=texts, createdAt=time"
add_json("an array two objects deep", "nested.json", SHOP, lambda rows: {"data": {"reviews": rows}})
add_json(
    "GraphQL: edges and nodes",
    "graphql.json",
    [{"cursor": row["id"], "node": row} for row in rows_of(SHOP)],
    lambda rows: {
        "data": {"product": {"reviews": {"edges": rows, "pageInfo": {"hasNextPage": False}}}},
    },
)
add_json("objects by their id", "byid.json", SHOP, lambda rows: {row["id"]: row for row in rows})
add_json(
    *("pandas, to_json() by columns", "columns.json", PRODUCT),
    lambda rows: {name: {str(place): row[name] for place, row in enumerate(rows)} for name in rows[0]},
)
_nan = [{**row, "score": math.nan} for row in rows_of(SIMPLE)]
_nan[6]["text"] = math.nan
add_lines("Python's json: NaN", "nan.jsonl", _nan)
_short = rows_of(SIMPLE)
del _short[6]["text"], _short[6]["name"]
add_lines("records without the text key", "keys.jsonl", _short)
add(
    *("the last page of an API: no reviews", "page.json", "out.json"),
    lambda path: path.write_text('{"reviews": [], "next": null}\n'),
    [],
    texts=[],
)

# Excel

SHEET = "id=number, product=product, stars=stars, price=decimal, verified=flag, review*=texts"


def grid(rows: Sequence[Row]) -> list[list[Any]]:
    return [[*rows[0]], *([*row.values()] for row in rows)]


def add_sheets(
    title: str, name: str, sheets: dict[str, list[list[Any]]], rows: Any = SHEET, **more: Any
) -> None:
    data = workbook(sheets, **{key: more.pop(key) for key in ("inline", "cached") if key in more})
    add(title, name, "out.xlsx", lambda path: path.write_bytes(data), rows, **more)


_grid = grid(rows_of(SHEET))
add_sheets("openpyxl", "openpyxl.xlsx", {"Sheet": _grid})
add_sheets("XlsxWriter, strings in cells", "xlsxwriter.xlsx", {"Sheet1": _grid}, inline=True)
add_sheets("an empty sheet before the table", "cover.xlsx", {"Cover": [], "Reviews": _grid})
add_sheets("title rows above the table", "titles.xlsx", {"Export": [["Reviews of March"], [], *_grid]})
_titles = [["Reviews, March 2024"], ["Filter", "all shops"], ["By Ada"]]
_groups = ["Order", *[None] * (len(_grid[0]) - 2), "Buyer"]
add_sheets("titles of groups of columns", "groups.xlsx", {"Export": [_groups, *_grid]})
_figures = [["Overview"], ["Answers", 12], ["Mean", 3.5]]
add_sheets("figures on the first sheet", "figures.xlsx", {"Overview": _figures, "Answers": _grid})
add_sheets("three title rows with a comma", "titles3.xlsx", {"Export": [*_titles, [], *_grid]})
for _title, _name, _cached in (
    ("formulas without values, of openpyxl", "formulas.xlsx", None),
    ("formulas with 0 in place of values, of XlsxWriter", "formulas0.xlsx", 0),
):
    _formulas = [
        [*row, "total" if place == 0 else Formula(f"C{place + 1}*D{place + 1}")]
        for place, row in enumerate(_grid)
    ]
    add_sheets(_title, _name, {"Sheet1": _formulas}, said=r"12 formulas.*G2", cached=_cached)
_html = "".join(
    f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in grid(rows_of("id=id, text*=texts"))
)
add(
    *("a page of HTML called .xls", "report.xls", "out.csv"),
    lambda path: path.write_text(f"<html><body><table>\n{_html}</table></body></html>\n"),
    "id=id, text*=texts",
    asks=True,
)

# Arrow, Parquet, ORC

TYPED = "id=long, stars=stars, price=decimal, verified=flag, review*=texts, date=when, photos=list"
_typed = rows_of(TYPED)


def table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist([*rows])


def write_pandas(path: Path) -> None:
    """Write what DataFrame.to_parquet does: a frame with its index in the metadata."""
    names = [{"name": name, "field_name": name} for name in _typed[0]]
    about = {"index_columns": [{"kind": "range", "start": 0, "stop": 12, "step": 1}], "columns": names}
    pq.write_table(table(_typed).replace_schema_metadata({"pandas": json.dumps(about)}), path)


def write_part(folder: Path, rows: Sequence[Row], number: int = 0) -> None:
    """Write a part as Spark does, with its checksum."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"part-{number:05}-d2a1c6f0-7d3e-4f0e-9d0e-0a5f2f1f9a11-c000.snappy.parquet"
    pq.write_table(table(rows), folder / name, compression="snappy")
    (folder / f".{name}.crc").write_bytes(b"crc\0\0\0\2\0\1\2\3\4")


def write_spark(folder: Path) -> None:
    for number in range(2):
        write_part(folder, _typed[6 * number : 6 * number + 6], number)
    (folder / "_SUCCESS").touch()
    (folder / "._SUCCESS.crc").write_bytes(b"crc\0\0\0\2\0\0\0\0")


def write_hive(folder: Path) -> None:
    for month in (1, 2, 3):
        write_part(folder / "year=2024" / f"month={month}", _typed[4 * month - 4 : 4 * month])
    (folder / "_SUCCESS").touch()


_hive = [{**row, "year": 2024, "month": 1 + place // 4} for place, row in enumerate(_typed)]


def write_delta(folder: Path) -> None:
    """Write a table whose first file was replaced by the second."""
    entries = []
    for number in range(2):
        write_part(folder, _typed, number)
        (part,) = folder.glob(f"part-{number:05}*.parquet")
        about = {
            "size": part.stat().st_size,
            "modificationTime": 0,
            "dataChange": True,
            "partitionValues": {},
        }
        entries.append({"add": {"path": part.name, **about}})
    schema = {"type": "struct", "fields": [{"name": name, "type": "string"} for name in _typed[0]]}
    meta = {"id": "1", "format": {"provider": "parquet"}, "schemaString": json.dumps(schema)}
    first = [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}, {"metaData": meta}, entries[0]]
    remove = {"path": entries[0]["add"]["path"], "deletionTimestamp": 1, "dataChange": True}
    log = folder / "_delta_log"
    log.mkdir()
    for version, lines in enumerate((first, [{"remove": remove}, entries[1]])):
        (log / f"{version:020}.json").write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_iceberg(folder: Path) -> None:
    write_part(folder / "data", _typed)
    metadata = folder / "metadata"
    metadata.mkdir()
    (metadata / "v1.metadata.json").write_text(json.dumps({"format-version": 2, "table-uuid": "1"}))
    (metadata / "version-hint.text").write_text("1")
    (metadata / "snap-1.avro").write_bytes(avro(rows_of(SIMPLE)))


def avro(rows: Sequence[Row]) -> bytes:
    """Return an object container file with strings and longs."""

    def number(value: int) -> bytes:
        value = value << 1 if value >= 0 else (-value << 1) - 1
        data = b""
        while value > 127:
            data += bytes([value & 127 | 128])
            value >>= 7
        return data + bytes([value])

    def string(value: str) -> bytes:
        return number(len(value.encode())) + value.encode()

    types = {int: "long", str: "string"}
    fields = [{"name": name, "type": types[type(value)]} for name, value in rows[0].items()]
    schema = json.dumps({"type": "record", "name": "review", "fields": fields})
    head = number(2) + string("avro.schema") + string(schema) + string("avro.codec") + string("null") + b"\0"
    body = b"".join(
        number(value) if isinstance(value, int) else string(value) for row in rows for value in row.values()
    )
    sync = bytes(range(16))
    return b"Obj\1" + head + sync + number(len(rows)) + number(len(body)) + body + sync


def write_stream(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table(_typed).schema) as writer:
        writer.write_table(table(_typed))


def write_sqlite(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE feedback (id INTEGER PRIMARY KEY, stars INTEGER, name TEXT, text TEXT)")
        base.executemany("INSERT INTO feedback VALUES (?, ?, ?, ?)", map(tuple, map(dict.values, _rows)))
    base.close()


def write_pickle(path: Path) -> None:
    import pandas as pd

    path.write_bytes(pickle.dumps(pd.DataFrame(_rows)))


for _title, _name, _output, _make, _wanted in (
    ("pandas, to_parquet", "pandas.parquet", "out.parquet", write_pandas, _typed),
    ("Spark, a folder of parts", "spark", "out.parquet", write_spark, _typed),
    ("Spark, partitioned as Hive does", "hive", "out.parquet", write_hive, _hive),
    (
        "Feather",
        "reviews.feather",
        "out.parquet",
        lambda path: pa.feather.write_feather(table(_typed), path),
        _typed,
    ),
    ("Arrow IPC", "reviews.arrow", "out.parquet", write_stream, _typed),
    ("ORC", "reviews.orc", "out.parquet", lambda path: pa.orc.write_table(table(_typed), path), _typed),
):
    add(_title, _name, _output, _make, _wanted)
for _title, _name, _output, _make, _wanted in (
    ("Delta, with a file that was replaced", "delta", "out.parquet", write_delta, _typed),
    ("Iceberg", "iceberg", "out.parquet", write_iceberg, _typed),
    ("Avro", "reviews.avro", "out.parquet", lambda path: path.write_bytes(avro(_rows)), _rows),
    ("SQLite", "shop.db", "out.csv", write_sqlite, [{key: str(row[key]) for key in row} for row in _rows]),
    (
        "DuckDB",
        "shop.duckdb",
        "out.parquet",
        lambda path: path.write_bytes(bytes(8) + b"DUCK" + bytes(4084)),
        _rows,
    ),
):
    add(_title, _name, _output, _make, _wanted, asks=True)
add("pandas, to_pickle", "frame.pkl", "out.parquet", write_pickle, _rows, asks=True, needs="pandas")


def write_documents(folder: Path) -> None:
    folder.mkdir()
    for place, text in enumerate(TEXTS):
        (folder / f"review{place:02}.txt").write_text(text.replace(". ", ".\n\n"), "utf-8")


add(
    *("a folder with a .txt file for each review", "texts", "out.csv", write_documents),
    [{"name": f"texts/review{place:02}.txt"} for place in range(len(TEXTS))],
    texts=[text.replace(". ", ".\n\n") for text in TEXTS],
    asks=True,
)


# Mail and chats

_tweets = [{"tweet": {"id_str": str(10**18 + place), "full_text": text}} for place, text in enumerate(TEXTS)]
add(
    *("the archive of Twitter", "tweets.js", "out.json"),
    lambda path: path.write_text(f"window.YTD.tweets.part0 = {json.dumps(_tweets)}"),
    _tweets,
    asks=True,
)


def write_chat(path: Path) -> None:
    """Write what WhatsApp exports; a message may have several lines."""
    lines = [f"[{place + 1:02}/03/25, 10:15:00] Ada L.: {text}" for place, text in enumerate(TEXTS)]
    path.write_text("\n".join(lines).replace("; ", ";\n") + "\n", "utf-8")


add(
    *("a chat of WhatsApp", "_chat.txt", "out.csv", write_chat),
    [
        {"date": f"{place + 1:02}/03/25, 10:15:00", "name": "Ada L.", "text": text.replace("; ", ";\n")}
        for place, text in enumerate(TEXTS)
    ],
    asks=True,
)

_mail = [
    {"subject": f"Number {place}", "from": "Ada <a@example.org>", "date": "2025-03-03T10:15:00+01:00"}
    for place in range(len(TEXTS))
]


def mails() -> list[bytes]:
    """Return a message for each text, with a quote and a signature below it."""
    messages = []
    for row, text in zip(_mail, TEXTS, strict=True):
        message = EmailMessage()
        message["Subject"], message["From"] = row["subject"], row["from"]
        message["Date"] = datetime.fromisoformat(row["date"])
        below = (
            "On Sunday, 2 March 2025, Shop <shop@example.org> wrote:\n> We love it!\n\n-- \nThe best shop\n"
        )
        message.set_content(f"{text}\n\n{below}")
        message.add_alternative(f"<p>{text}</p>", subtype="html")
        messages.append(bytes(message))
    return messages


def write_mailbox(path: Path) -> None:
    path.write_bytes(b"\n".join(b"From a@example.org Mon Mar  3 10:15:00 2025\n" + mail for mail in mails()))


def write_messages(folder: Path) -> None:
    folder.mkdir()
    for place, mail in enumerate(mails()):
        (folder / f"{place:02}.eml").write_bytes(mail)


def write_slack(folder: Path) -> None:
    """Write what Slack exports: a file for each channel and day, and others above these."""
    user = {
        "id": "U1",
        "name": "ada",
        "profile": {"title": "Head of all shops and of support", "status_text": ""},
    }
    channel = {"id": "C1", "name": "shop", "purpose": {"value": "All that customers say of us in our shops"}}
    for day in range(3):
        part = [{"type": "message", "user": "U1", "text": text} for text in TEXTS[4 * day : 4 * day + 4]]
        (folder / "shop").mkdir(parents=True, exist_ok=True)
        (folder / "shop" / f"2025-03-0{day + 1}.json").write_text(json.dumps(part))
    for name, rows in (("channels", [channel]), ("users", [user]), ("integration_logs", [{"user_id": "U1"}])):
        (folder / f"{name}.json").write_text(json.dumps(rows))


add("a mailbox, as Gmail and Thunderbird export it", "inbox.mbox", "out.csv", write_mailbox, _mail)
add("a folder of .eml files", "mails", "out.csv", write_messages, _mail)
add(
    *("Slack: users and channels next to the messages", "slack", "out.jsonl", write_slack),
    [{"type": "message", "user": "U1", "text": text} for text in TEXTS],
    said="slack: 3 files left out: channels.json, integration_logs.json, users.json",
)
