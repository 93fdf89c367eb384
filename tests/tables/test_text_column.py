"""Which column is the text: by its name or its first values, in every format."""

import csv
import io
import json
import os
import shlex
import threading
from importlib.util import find_spec
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from export_shapes import GERMAN, GOOD, IDS, LINKS, NAMES, NUMBERS, OTHER, SHORT, shapes
from jobs import read_chunks, write_to_pipe

from sentcli.errors import DataError
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import ReadOptions, WriteOptions
from sentcli.tables.text_column import join_columns
from sentcli.text.null_values import NULL_VALUES, NullValues

pytestmark = pytest.mark.packages  # pandas


def to_csv(columns):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([[*columns], *zip(*columns.values(), strict=True)])
    return file.getvalue().encode()


def to_jsonl(columns):
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def head_of(path, data, wanted=None, prefix="", **options):
    path.write_bytes(data)
    read, write = ReadOptions(text_column=wanted, **options), WriteOptions(prefix=prefix)
    reader = read_chunks(path, read=read, write=write)
    return reader.table.texts, [text for chunk in reader for text in chunk.texts]


def check_frame(columns, wanted, texts):
    """Check the texts of a data frame, if pandas is installed."""
    if find_spec("pandas"):
        import pandas as pd

        seen = []
        nulls = NullValues(NULL_VALUES)
        scorer = SimpleNamespace(score=seen.extend, _columns=lambda *_: (), _null_values=nulls)
        Scorer.score_frame(scorer, pd.DataFrame(columns), wanted)
        assert seen == texts


@pytest.mark.parametrize(("columns", "marks"), [pytest.param(*shape, id=name) for name, *shape in shapes()])
def test_the_texts_of_public_data_sets_and_exports_are_found(tmp_path, caplog, columns, marks):
    if "Sentiment" in columns:
        with pytest.raises(DataError, match="the input has a column 'Sentiment' already; try --prefix new_"):
            head_of(tmp_path / "a.csv", to_csv(columns))
    if "?" in marks.values():
        with pytest.raises(DataError, match="which column is the text") as caught:
            head_of(tmp_path / "a.csv", to_csv(columns))
        assert all(f"--text-column {shlex.quote(name)}" in str(caught.value) for name in marks)
        return
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    forms = {
        "csv": to_csv(columns),
        "jsonl": to_jsonl(columns),
        "parquet": (tmp_path / "a.parquet").read_bytes(),
    }
    for form, data in forms.items():
        names, found = head_of(tmp_path / f"a.{form}", data, prefix="new_")
        parts = [columns[name] for name in names]
        texts = join_columns(parts, NullValues(NULL_VALUES))
        assert ({*names}, found) == ({*marks}, texts)
    (name, mark), *_ = marks.items()
    told = f"texts taken from {name!r}, the column with the longest texts"
    assert caplog.text.count(told) == len(caplog.messages) == (3 if mark == "~" else 0)
    assert {record.levelname for record in caplog.records} <= {"NOTE"}
    check_frame(columns, None, texts)


@pytest.mark.parametrize("names", [("Negative_Review", "Positive_Review"), ("pros", "cons")])
def test_the_two_parts_of_a_review_are_one_text(tmp_path, names):
    columns = dict(zip(("Hotel", *sorted(names, reverse=True)), (NAMES, GOOD, SHORT), strict=True))
    found, texts = head_of(tmp_path / "a.csv", to_csv(columns))
    assert ({*found}, texts[0]) == ({*names}, f"{GOOD[0]} {SHORT[0]}")


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"text": [""] * 5, "Review body": GOOD}, "Review body"),
        ({"comments": NUMBERS, "title": SHORT, "Kommentar": GOOD}, "Kommentar"),
        ({"review": IDS, "Meinung": GOOD}, "Meinung"),
        ({"content": LINKS, "tweet": SHORT}, "tweet"),
        ({"Text": NUMBERS, "TEXT": GOOD}, "TEXT"),
        ({"text": NUMBERS, "n": NUMBERS}, "text"),
        ({"title": SHORT, "n": NUMBERS}, "title"),
    ],
)
def test_a_name_alone_does_not_decide(tmp_path, columns, text):
    assert head_of(tmp_path / "a.csv", to_csv(columns)) == ((text,), columns[text])


def test_longer_texts_under_another_usual_name_are_told(tmp_path, caplog):
    columns = {"product": IDS, "Review": SHORT, "Title": GOOD}
    assert head_of(tmp_path / "a.csv", to_csv(columns)) == (("Review",), SHORT)
    said = "taken from 'Review' by its name, but 'Title' has longer ones; for those: --text-column Title"
    assert said in caplog.text
    assert caplog.records[0].levelname == "NOTE"
    caplog.clear()
    head_of(tmp_path / "a.csv", b"text,summary\nok,Longer than the text\n")
    assert not caplog.text


@pytest.mark.parametrize(
    ("columns", "proposed"),
    [
        ({"n": NUMBERS, "Lob": GOOD, "Kritik": GOOD[::-1]}, "Lob or --text-column Kritik"),
        ({"title": GOOD, "subject": GOOD[::-1], "n": NUMBERS}, "title or --text-column subject"),
        ({"It's mine": GOOD, "a\nb": GOOD, "title": SHORT}, r"""'It'"'"'s mine' or --text-column 'a\nb'"""),
        ({"n": NUMBERS, "id": IDS}, "n or --text-column id"),
    ],
)
def test_columns_that_are_alike_are_asked_about(tmp_path, columns, proposed):
    with pytest.raises(DataError) as caught:
        head_of(tmp_path / "a.csv", to_csv(columns))
    assert f"which column is the text? Add --text-column {proposed}; the columns are" in str(caught.value)


def test_columns_of_one_name_are_proposed_by_their_numbers(tmp_path):
    data = b"id,text,text\n1,so good,so bad\n"
    with pytest.raises(DataError, match="Add --text-column 2 or --text-column 3; the columns are"):
        head_of(tmp_path / "a.csv", data)
    with pytest.raises(DataError, match="several columns 'text'; try --text-column 2 or --text-column 3"):
        head_of(tmp_path / "a.csv", data, "text")
    assert head_of(tmp_path / "a.csv", data, "3") == (("text",), ["so bad"])
    with pytest.raises(DataError, match="Add --text-column 2 or --text-column 3; the columns are"):
        head_of(tmp_path / "a.csv", b"id,text,text\n")


COLUMNS = {"Title": SHORT, "What?\nWhy?": GOOD, "3": IDS, "a,b": NAMES, "title": NUMBERS}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("Title", ("Title",)),
        ("title", ("title",)),
        (r"What?\nWhy?", ("What?\nWhy?",)),
        (r"what?\nwhy?", ("What?\nWhy?",)),
        ("1", ("Title",)),
        ("2", ("What?\nWhy?",)),
        ("3", ("3",)),
        ("a,b", ("a,b",)),
        ("A,B", ("a,b",)),
        ("Title, 2", ("Title", "What?\nWhy?")),
    ],
)
def test_the_option_takes_names_numbers_and_several(tmp_path, wanted, found):
    texts = [" ".join(parts) for parts in zip(*(COLUMNS[name] for name in found), strict=True)]
    assert head_of(tmp_path / "a.csv", to_csv(COLUMNS), wanted) == (found, texts)
    assert head_of(tmp_path / "a.tsv", to_csv(COLUMNS).replace(b",", b"\t").replace(b"a\tb", b"a,b"), wanted)
    assert head_of(tmp_path / "a.jsonl", to_jsonl(COLUMNS), wanted) == (found, texts)
    pq.write_table(pa.table(COLUMNS), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    assert head_of(tmp_path / "a.parquet", data, wanted) == (found, texts)
    check_frame(COLUMNS, wanted, texts)


@pytest.mark.parametrize("wanted", ["TITLE", "6", "0", "Title,x", ""])
def test_a_name_that_does_not_fit_is_refused(tmp_path, wanted):
    with pytest.raises(DataError, match="several columns 'TITLE'" if wanted == "TITLE" else "no column '"):
        head_of(tmp_path / "a.csv", to_csv(COLUMNS), wanted)


@pytest.mark.parametrize("null_values", [None, ("GONE",)])
def test_parts_that_are_null_values_are_left_out(tmp_path, null_values):
    """As in exports of hotels, whose guests write "No Negative" where they have no complaint."""
    null = "No Negative" if null_values is None else "gone"
    columns = {"t": [null, "good", null, "bad"], "b": ["good", f"[{null}]", f"{null}.", "N/A words"]}
    texts = ["good", "good", "", "bad N/A words"]
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    parquet = (tmp_path / "a.parquet").read_bytes()
    for form, data in {"csv": to_csv(columns), "jsonl": to_jsonl(columns), "parquet": parquet}.items():
        found = head_of(tmp_path / f"a.{form}", data, "t,b", null_values=null_values)
        assert found == (("t", "b"), texts)


def test_parts_that_are_missing_are_left_out(tmp_path):
    rows = [
        {"t": "a", "b": "c"},
        {"t": None, "b": "c"},
        {"t": "", "b": "c"},
        {"t": None, "b": None},
        {"b": "c"},
    ]
    texts = ["a c", "c", "c", None, "c"]
    data = "".join(json.dumps(row) + "\n" for row in [*rows, {"t": 1, "b": "c"}]).encode()
    assert head_of(tmp_path / "a.jsonl", data, "t,b") == (("t", "b"), texts)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "a.parquet")
    assert head_of(tmp_path / "a.parquet", (tmp_path / "a.parquet").read_bytes(), "t,b") == (
        ("t", "b"),
        texts,
    )
    check_frame(table.to_pydict(), "t,b", texts)


def test_texts_in_structs_of_parquet(tmp_path, score_table):
    rows = [
        {"id": 1, "r": {"text": "so good", "in": {"a": "x"}}},
        {"id": 2, "r": None},
        {"id": 3, "r": {"text": None}},
    ]
    out = score_table(pa.Table.from_pylist(rows))
    assert out.read()["sentiment"].to_pylist() == ["odd", None, None]
    data = (tmp_path / "in.parquet").read_bytes()
    assert head_of(tmp_path / "a.parquet", data) == (("r.text",), ["so good", None, None])
    assert head_of(tmp_path / "a.parquet", data, "R.in.a") == (("r.in.a",), ["x", None, None])
    with pytest.raises(DataError, match=r"the column 'r' is struct<.*>, not a string"):
        head_of(tmp_path / "a.parquet", data, "r")
    table = pa.table({"r.text": ["whole"], "r": [{"text": "part"}]})
    pq.write_table(table, tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    assert head_of(tmp_path / "a.parquet", data, "r.text") == (("r.text",), ["whole"])


def test_texts_in_nested_objects_are_found(tmp_path):
    data = b'{"app":"maps","review":{"stars":4,"text":"Finds it."}}\n{"app":"maps","review":{"text":"No."}}\n'
    assert head_of(tmp_path / "a.jsonl", data) == (("review.text",), ["Finds it.", "No."])


def test_a_header_with_a_number_may_be_a_row(tmp_path):
    data = b"0,1467,so sad that it rains today\n4,1468,what a lovely day it was\n"
    with pytest.raises(DataError, match="a column is called 0; if the first line is a row, add --no-header"):
        head_of(tmp_path / "a.csv", data)
    found, texts = head_of(tmp_path / "a.csv", data, header=False)
    assert (found, len(texts)) == (("3",), 2)


def test_malformed_rows_do_not_count(tmp_path):
    data = b'id,Kommentar,Ort\n1,"open" x,y\n2,z\n3,a text of several words,here\n'
    assert head_of(tmp_path / "a.csv", data)[0] == ("Kommentar",)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("late", [900, 1100])
def test_the_first_thousand_rows_decide_however_they_arrive(tmp_path, form, late):
    words = ["abcdefghijklm"[each % 13] * (each // 13) for each in range(13, 1013)]
    longer = [""] * late + [f"{word} is a longer text than any of those before " * 9 for word in words]
    columns = {"a": [f"some words {'x' * (each % 40)} here" for each in range(late + 1000)], "b": longer}
    data = (to_csv if form == "csv" else to_jsonl)(columns)
    expected = head_of(tmp_path / f"a.{form}", data)
    assert expected[0] == (("b",) if late == 900 else ("a",))
    parts = [data[start : start + 7000] for start in range(0, len(data), 7000)]
    reader = read_chunks(write_to_pipe(tmp_path / "pipe", *parts), read=ReadOptions(format=form))
    assert reader.table.texts == expected[0]
    assert [text for chunk in reader for text in chunk.texts] == expected[1]


def test_a_usual_name_with_a_word_decides_at_the_first_row(tmp_path):
    """A live pipe may wait for an answer to it."""
    for form, data in (("csv", b"id,text\n1,ok\n"), ("jsonl", b'{"id":1,"text":"ok"}\n')):
        pipe = tmp_path / f"pipe-{form}"
        os.mkfifo(pipe)
        answered = threading.Event()

        def write(pipe=pipe, data=data, answered=answered):
            with pipe.open("wb", buffering=0) as file:
                file.write(data)
                answered.wait(10)

        writer = threading.Thread(target=write)
        writer.start()
        first = next(chunk for chunk in read_chunks(pipe, read=ReadOptions(format=form)) if chunk.texts)
        assert not answered.is_set()
        answered.set()
        writer.join()
        assert first.texts == ["ok"]


def test_the_first_input_decides_for_all_and_is_told_once(run, tmp_path, caplog):
    (tmp_path / "a.csv").write_bytes(to_csv({"Titel": SHORT, "Kommentar": GOOD}))
    (tmp_path / "b.csv").write_bytes(to_csv({"Titel": GOOD, "Kommentar": SHORT}))
    summary = run([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out.csv")
    assert summary.text_columns == ["Kommentar"]
    assert caplog.text.count("texts taken from 'Kommentar'") == 1


def test_a_later_input_without_the_column_of_the_first_is_refused(run, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"text":"x"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"review":"x","id":1}\n')
    with pytest.raises(
        DataError, match=r"b\.jsonl: no column 'text'; the columns are 'review', 'id'; try another --text-"
    ):
        run([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], tmp_path / "out.jsonl")


def test_several_text_columns_are_named_in_the_summary(run, tmp_path):
    (tmp_path / "a.csv").write_bytes(to_csv({"Title": SHORT, "Body": GOOD}))
    summary = run(tmp_path / "a.csv", tmp_path / "out.csv", read=ReadOptions(text_column="title,body"))
    assert "texts in 'Body' and 'Title'" in summary.lines()[2]


CALLS = [*4 * ["Voucher sent"], "Called back, no answer", "Refunded", *6 * ["Voucher sent"]]
GUESTS = 3 * ["Ada", "Bo", "Cy", "Dee"]
SENT = [
    f"Hi {name}, thanks for your visit on {day} May. Please reply and tell us how it was."
    for day, name in enumerate(GUESTS)
]
HEARD = [word for text in (GOOD, OTHER, GERMAN[:2]) for word in text]
BOUGHT = 6 * ["Acme Steel Kettle", "wireless mouse with a light"]
CHOSEN = [
    *4 * ["Easy to use;Friendly staff"],
    *4 * ["Friendly staff;Good value for money"],
    *4 * ["Easy to use"],
]
FEW = [*11 * [""], "The staff were kind, and the tea was hot."]


@pytest.mark.parametrize(
    ("columns", "likely"),
    [
        ({"Comments": CALLS, "Please tell us about your visit": HEARD}, "Please tell us about your visit"),
        ({"Comments": HEARD, "Description": HEARD[::-1]}, "Description"),
        ({"Message": SENT, "Reply": 3 * ["5", "Great", "stop", "4"]}, "Reply"),
        ({"Message": SENT[:6] + HEARD[:6], "Reply": HEARD}, "Reply"),
        ({"Comment": 12 * [""], "Product": BOUGHT}, "Comment"),
        ({"Comment": 12 * ["N/A"], "Product": BOUGHT}, "Comment"),
        ({"Review": SHORT, "Summary": GOOD}, "Summary"),
    ],
)
def test_a_usual_name_does_not_win_over_a_column_that_is_as_likely(tmp_path, columns, likely):
    for form, data in (("csv", to_csv(columns)), ("jsonl", to_jsonl(columns))):
        with pytest.raises(DataError, match="which column is the text") as caught:
            head_of(tmp_path / f"a.{form}", data)
        assert all(f"--text-column {shlex.quote(name)}" in str(caught.value) for name in (*columns, likely))


@pytest.mark.parametrize(
    ("columns", "text", "note"),
    [
        ({"Message": SENT, "Antwort": HEARD}, "Antwort", "the column with the longest texts"),
        ({"Reason": [*FEW[2:], GOOD[1], GOOD[4]], "What do you value?": CHOSEN}, "Reason", "longest texts"),
        (
            {"Comments": FEW, "Product": 12 * ["Acme Steel Kettle"], "Name": 12 * ["Ada van Dyke"]},
            "Comments",
            "",
        ),
        ({"body": HEARD, "reply": 12 * GOOD[1:2]}, "body", ""),
        (
            {"Comments": 6 * GOOD[1:3], "Town": 12 * ["York"], "Stars": 6 * ["Very good", "Bad"]},
            "Comments",
            "",
        ),
        ({"text": 12 * ["-"], "initials": 12 * ["0 A"]}, "text", ""),
        ({"text": HEARD, "user": [f"Fond of tea and of {word}" for word in HEARD]}, "text", ""),
    ],
)
def test_prose_counts_once_and_names_do_not(tmp_path, caplog, columns, text, note):
    assert head_of(tmp_path / "a.csv", to_csv(columns)) == ((text,), columns[text])
    assert note in caplog.text
    assert bool(note) == bool(caplog.text)


@pytest.mark.parametrize(("form", "encode"), [("csv", to_csv), ("jsonl", to_jsonl)])
@pytest.mark.parametrize(("late", "is_seen"), [(10, True), (20, False)])
def test_few_rows_of_many_columns_decide(tmp_path, caplog, form, encode, late, is_seen):
    answers = {f"Q{number}": ["1"] * 40 for number in range(998)}
    columns = {
        **answers,
        "product description": [*[""] * late, *40 * [9 * GOOD[1]]][:40],
        "review": 40 * SHORT,
    }
    columns["review"] = columns["review"][:40]
    assert head_of(tmp_path / f"a.{form}", encode(columns))[0] == ("review",)
    assert ("has longer ones" in caplog.text) == is_seen


def test_a_usual_name_that_is_blank_in_the_first_rows_is_looked_for_further_on(tmp_path):
    late = 3000
    columns = {"Comment": [""] * late + HEARD, "Device": (late + 12) * ["web browser on a desktop"]}
    assert head_of(tmp_path / "a.csv", to_csv(columns))[0] == ("Comment",)
