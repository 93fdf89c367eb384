"""What is taken for a table, and above all what is not."""

import random

import pytest

from sentcli.errors import DataError
from sentcli.files.source import Source, inspect_input
from sentcli.tables.options import ReadOptions
from sentcli.tables.sniff import guess_format, sniff

BARS = "id|rumour\n1|it works, mostly\n2|it broke\n3|it works\n4|so it goes\n5|and"
DATES = "id,rumour,on\n1,it works,2024-01-02T10:00Z\n2,it broke,\n3,it works,\n4,it broke,\n"


@pytest.mark.parametrize(
    ("data", "doubt", "flags", "columns"),
    [
        (b"id,text\n1,x\n2,y\n", 0, "--input-format csv", "id text"),
        (b"id;Text\r\n1;sch\xf6n, 0\r\n2;y\r\n", 0, "--input-format csv --delimiter ';'", "id Text"),
        (b'review,sentiment\n"A, b\nand c",positive\nd,negative\n"goes on', 0, "--input-format csv", None),
        (BARS.encode(), 1, "--input-format csv --delimiter '|'", "id rumour"),
        (BARS[:42].encode(), 2, "--input-format csv --delimiter '|'", "id rumour"),
        (DATES.encode(), 1, "--input-format csv", "id rumour on"),
        ("rumour\tby\nit works\tan\nit broke\tbo\n".encode("utf-16"), 1, "--input-format tsv", "rumour by"),
        ("\ufefftext\tid\nit works\t1\nit broke\t2\n".encode(), 0, "--input-format tsv", "text id"),
        (b'"What did you like,\nand why?",by\nit works,1\nit broke,2\n', 2, "--input-format csv", None),
        (b"Was it what you expected of us?,by\n" + b"it works,an\n" * 4, 2, "--input-format csv", None),
        (b'{"a": 1}\n\n{"b": "\xe2\x80\xa8"}\n{"c', 0, "--input-format jsonl", ""),
        (b'[{"a": 1},', 0, "--input-format json", ""),
        (b'{\n  "a": 1\n}', 0, "--input-format jsonl", ""),
        (b"id,text\n1,x\n", 2, "--input-format csv", "id text"),
        (b"text\nx\n", 2, "--input-format csv", "text"),
        (b'id,text\n1,x\n2,"y" z\n3,x\n', 2, "--input-format csv", "id text"),
        (b"id,text\n1,x\n2,y, and z\n", 2, "--input-format csv", "id text"),
        (b"sep=;\r\nid;text\r\n1;x\r\n", 0, "--input-format csv", ""),
        (b"by,rumour\nan,it works so well\nbo,it broke at once\n", 2, "--input-format csv", "by rumour"),
        (b"5,it works well\n2,it broke\n3,it was so so\n", 2, "--input-format csv --no-header", ""),
    ],
)
def test_tables(data, doubt, flags, columns):
    guess = sniff(data, ReadOptions())
    assert guess.doubt == doubt
    assert flags in (None, guess.flags)
    assert columns in (None, " ".join(guess.columns))


def test_the_options_that_read_it():
    wide = "text\tid\nit works\t1\nit broke\t2\n"
    assert sniff(wide.encode("utf-16"), ReadOptions()).read == ReadOptions(format="tsv")
    named = ReadOptions(encoding="utf-16-le", delimiter=":")
    found = sniff(wide.replace("\t", ":").encode("utf-16-le"), named)
    assert found.read == ReadOptions(format="csv", encoding="utf-16-le", delimiter=":")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"a fine text, really\n",
        b"Good, cheap\nNice, fast\nBad, slow\n",
        b"Good,cheap\nNice,fast\nBad,slow\n",
        b"Quick, easy to use.\nSturdy, light and small.\nCheap, but it works well.\n",
        b"Bought 2, returned 1\nBought 3, kept 3\nBought 1, liked it\n",
        b"Nice | 5 stars\nBad | 1 star\nSo so | 3 stars\n",
        b"Fast; 5\nSlow; 1\nNice; 4\n",
        b"I waited for it.\tAnd waited.\nIt came.\tBroken.\nNever again.\tReally.\n",
        "\u975e\u5e38\u597d,\u5f88\u5feb\n\u4e0d\u597d,\u5f88\u6162\n\u597d,\u5feb\n".encode(),
        b'"Great", he said\n"Bad", she said\n"So so", I said\n',
        b'"Great stuff\nit works\n',
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ],
)
def test_lines(data):
    assert sniff(data, ReadOptions()) is None


PARTS = {
    "opening": ["Great product", "I love it", "Terrible", "Not bad", "Five stars", "5 stars", "Good", "Meh"],
    "middle": [
        "it came on time",
        "works",
        "my wife uses it daily",
        "the battery lasts 10 hours",
        "no problems",
    ],
    "end": [
        "would buy again.",
        "do not buy!",
        "thanks",
        "10/10",
        "recommended",
        "so what?",
        "it broke in 2 days",
    ],
}


@pytest.mark.parametrize("joint", [", ", "; ", " | ", " - ", ": ", ",", ";", " ,"])
def test_no_invented_review_with_a_mark_in_each_line_is_read_as_a_table(joint):
    chosen = random.Random(joint)
    for _ in range(1000):
        parts = [*PARTS.values()][: chosen.choice([2, 3])]
        lines = [joint.join(map(chosen.choice, parts)) for _ in range(chosen.randint(2, 30))]
        guess = sniff("\n".join(lines).encode(), ReadOptions())
        assert guess is None or (guess.doubt == 2 and not joint.endswith(" "))


def test_auto_is_kept_for_a_table_and_decides_how_its_first_lines_are_read():
    data = "id;größe;text\n1;weiß;schön\n2;süß;groß\n".encode("cp1252")
    guess = sniff(data, ReadOptions(encoding="auto"))
    assert guess.read == ReadOptions(format="csv", delimiter=";", encoding="auto")
    assert guess.columns == ["id", "größe", "text"]


@pytest.mark.parametrize("line", ["[12/03/25, 10:15:0{}] Ada: good", "3/12/25, 10:1{} AM - Ada: good, cheap"])
def test_a_chat_is_asked_for(tmp_path, line):
    chat = tmp_path / "chat.txt"
    chat.write_text("".join(f"{line}\nand more\n".format(number) for number in range(5)))
    with pytest.raises(DataError, match=r"a chat, with a date and a name in each message; if each line is"):
        guess_format(Source(inspect_input(str(chat))), ReadOptions())
