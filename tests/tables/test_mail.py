"""Mail: a row for each message of an mbox, or for an .eml file."""

import csv
import gzip
import time
from base64 import b64encode
from email.message import EmailMessage

import pytest
from jobs import ParityScorer, read_chunks

from sentcli.errors import DataError, InterruptedRunError, UsageError
from sentcli.runs import ledger
from sentcli.tables import line_reader
from sentcli.tables.options import ReadOptions, WriteOptions
from sentcli.tables.registry import signature_of

HEAD = b"Subject: =?utf-8?b?U2Now7Zu?=\r\n and more\r\nFrom: =?utf-8?q?Zo=C3=AB?= <zoe@example.org>\r\n"
DATED = b"Date: Mon, 03 Mar 2025 10:15:00 +0100\r\n"
START = b"From zoe@example.org Mon Mar  3 10:15:00 2025\n"
UNCLOSED = "<p>It works &amp; is<br>great.<p>Tea &"
PAGE = (
    "<html><head><title>no</title><style>p {color: red}</style></head><body><!-- no --><p>It works &amp;\n"
    "is<br>great.</p><div>On Mon, 3 Mar 2025 Shop &lt;s@example.org&gt; wrote:</div>"
    "<blockquote>We are bad. <blockquote>no</blockquote> no</blockquote></body></html>"
)


def plain(body, *headers):
    return b"".join([HEAD, DATED, *(header + b"\r\n" for header in headers), b"\r\n", body])


def coded(text, charset, cte):
    message = EmailMessage()
    message.set_content(text, charset=charset, cte=cte)
    return bytes(message)


def alternatives(first, page=PAGE):
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content(first)
    message.add_alternative(page, subtype="html")
    message.add_attachment("attached", filename="a.txt")
    message.add_attachment(b"\0" * 99, maintype="image", subtype="png")
    return bytes(message)


def only_page():
    message = EmailMessage()
    message.set_content(PAGE, subtype="html")
    return bytes(message)


@pytest.fixture
def texts(tmp_path, run):
    """Return a function that returns the rows of messages, each in a file of its own."""

    def texts(*messages):
        names = [tmp_path / f"{number:03}.eml" for number in range(len(messages))]
        for name, message in zip(names, messages, strict=True):
            name.write_bytes(message)
        run(names, tmp_path / "out.csv", overwrite=True)
        with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
            return [row["text"] for row in csv.DictReader(file)]

    return texts


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx", ".txt"])
def test_a_message_has_a_subject_a_sender_a_date_and_a_text(tmp_path, run, suffix):
    (tmp_path / "a.eml").write_bytes(plain(b"good\r\n"))
    run(tmp_path / "a.eml", tmp_path / f"out{suffix}")
    if suffix == ".csv":
        assert (tmp_path / "out.csv").read_text("utf-8") == (
            "subject,from,date,text,sentiment,sentiment_score\n"
            "Schön and more,Zoë <zoe@example.org>,2025-03-03T10:15:00+01:00,good,even,0.571429\n"
        )


GERMAN = "Schön ist das Hotel, größer wäre schöner für uns"
OWN = "It broke.\n\nNo answer so far."
QUOTES = {
    "nothing": "",
    "marks": "> good\n>> better\n>best\n",
    "an introduction": "On Mon, Mar 3, 2025 at 9:00 AM Shop\n<s@example.org> wrote:\n\n> good\n",
    "one in German": "Am Montag schrieb Shop <s@example.org>:\n> gut\n",
    "Outlook": "-----Original Message-----\nFrom: Shop\nSent: Monday\n\ngood\n",
    "Outlook, a line": "________________________________\nFrom: Shop\n\ngood\n",
    "Outlook, headers": "From: Shop <s@example.org>\nSent: Monday, 3 March\nTo: Zoë\n\ngood\n",
    "a signature": "-- \nZoë\nHead of all things\n",
}


@pytest.mark.parametrize("name", QUOTES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quotes_and_signatures_are_left_out(texts, name, end):
    body = f"{OWN}\n\n{QUOTES[name]}".replace("\n", end)
    assert texts(plain(body.encode(), b"Content-Type: text/plain; charset=utf-8")) == [OWN]


def test_an_answer_below_a_quote_is_kept(texts):
    assert texts(plain(b"On Monday Ann wrote:\n> Is it good?\n\nNo.\n>And now?\nNo.\n")) == ["No.\n\nNo."]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (alternatives("It is good."), "It is good."),
        (alternatives(" \n"), "It works & is\ngreat."),
        (only_page(), "It works & is\ngreat."),
        (plain(UNCLOSED.encode(), b"Content-Type: text/html"), "It works & is\ngreat.\nTea &"),
        (plain(b"<b>a</b>b<td>c</td>&lt;d> 1 < 2<!--", b"Content-Type: text/html"), "ab\nc\n<d> 1 < 2"),
        (plain(b""), ""),
        (plain(b"--x\r\n\r\ngood\r\n", b"Content-Type: multipart/mixed; boundary=x"), "good"),
        (plain(b"Sch\xc3\xb6n\r\n"), "Schön"),
        (plain(GERMAN.encode("cp1252")), GERMAN),
        (plain(b"It\x92s bad", b"Content-Type: text/plain; charset=iso-8859-1"), "It’s bad"),
        (plain(b"Sch\xc3\xb6n", b"Content-Type: text/plain; charset=x-none"), "Schön"),
        (plain(b64encode(b"good"), b"Content-Transfer-Encoding: base64"), "good"),
        *(
            (coded(text, charset, cte), text)
            for charset, text in (("koi8-r", "хорошо"), ("iso-2022-jp", "良い"), ("iso-8859-2", "źle"))
            for cte in ("quoted-printable", "base64")
        ),
    ],
)
def test_the_text_is_the_plain_part_or_the_page_in_its_encoding(texts, message, text):
    assert texts(message) == [text]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"no mail at all\n", "it has no headers"),
        (b"\0\1\2", "it has no headers"),
        (plain("łóżko było źle pościelone".encode("cp1250")), "its text is not us-ascii"),
        (plain(b"--x\n\ngood", b"Content-Type: multipart/mixed"), "NoBoundaryInMultipartDefect"),
        (plain(b"good", *[b"X: " + b"x" * 90] * 99), "longer than 5000 bytes; try a higher --max-row-bytes"),
    ],
)
def test_a_message_that_cannot_be_read_is_a_reject(tmp_path, run, rejects, message, reason):
    (tmp_path / "a.mbox").write_bytes(START + message + b"\n\n" + START + plain(b"good\n"))
    read = ReadOptions(max_row_bytes=5000)
    summary = run(tmp_path / "a.mbox", tmp_path / "out.csv", read=read)
    assert (summary.rows, summary.rejected) == (1, 1)
    (found,) = rejects()
    assert (found["line"], found["offset"]) == (1, 0)
    assert found["reason"].endswith(reason)


def test_dates_and_senders_of_any_kind_are_kept(tmp_path, run):
    head = "Subject: x\nFrom: Jürgen\nDate: {}\n\ngood\n"
    dates = ("yesterday", "Mon, 99 Foo 2025 99:99", "4 Mar 2025 08:00:00 -0000", "")
    (tmp_path / "a.mbox").write_bytes(b"\n".join(START + head.format(date).encode() for date in dates))
    run(tmp_path / "a.mbox", tmp_path / "out.csv", read=ReadOptions(keep=("from", "date")))
    assert (tmp_path / "out.csv").read_text("utf-8").splitlines()[1:] == [
        f"Jürgen,{date},even,0.571429"
        for date in ("yesterday", '"Mon, 99 Foo 2025 99:99"', "2025-03-04T08:00:00", "")
    ]


def test_a_mailbox_is_divided_where_messages_begin(tmp_path, run):
    body = b"good\n\n>From the start.\n\nFrom then on Mon\nFrom a Mon Mar  3 10:15:00 2025\nmore\n"
    messages = [START + plain(body).replace(b"\r\n", end) for end in (b"\n", b"\r\n")]
    (tmp_path / "a.mbox").write_bytes(b"\n".join(messages))
    assert run(tmp_path / "a.mbox", tmp_path / "out.jsonl").rows == 2
    chunks = [*read_chunks(tmp_path / "a.mbox")]
    text = "good\n\nFrom the start.\n\nFrom then on Mon\nFrom a Mon Mar  3 10:15:00 2025\nmore"
    assert [found for chunk in chunks for found in chunk.texts] == [text, text]
    assert b"".join(raw for chunk in chunks for raw in chunk.raw) == b"\n".join(messages)


@pytest.mark.parametrize("name", ["a.mbox", "a.mbox.gz", "Inbox", "a.txt"])
def test_a_mailbox_is_known_by_its_first_line(tmp_path, run, name):
    data = START + plain(b"good\n") + b"\n" + START + plain(b"bad\n")
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert run(tmp_path / name, tmp_path / "out.csv").rows == 2


@pytest.mark.parametrize("line", [b"From the start it was bad", b"From Monday, 10:30 to 2025", b"from a\n"])
def test_a_text_is_no_mailbox(line):
    assert not signature_of(line)


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<a/", "<!--", "</", "<blockquote>", "&", "On x\n", "-", "> ", "/"]
)
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_hostile_text_takes_no_longer_than_others(tmp_path, run, piece, kind):
    body = b"<a" + piece.encode() * (400_000 // len(piece))
    (tmp_path / "a.eml").write_bytes(plain(body, f"Content-Type: text/{kind}".encode()))
    started = time.monotonic()
    run(tmp_path / "a.eml", tmp_path / "out.jsonl")
    assert time.monotonic() - started < 10


def test_an_empty_mailbox_has_no_rows(tmp_path, run):
    (tmp_path / "a.mbox").write_bytes(b"")
    assert run(tmp_path / "a.mbox", tmp_path / "out.csv").rows == 0


def test_a_mailbox_is_not_held_in_memory(tmp_path, run, monkeypatch):
    monkeypatch.setattr(line_reader, "LONGEST", 2)
    (tmp_path / "a.mbox").write_bytes(START + plain(b"good\n" * 9999))
    with pytest.raises(DataError, match="of more than 20000 bytes"):
        run(tmp_path / "a.mbox", tmp_path / "out.csv", read=ReadOptions(max_row_bytes=10_000))


@pytest.mark.parametrize("name", ["out.mbox", "out.eml"])
def test_mail_is_not_written(tmp_path, run, name):
    (tmp_path / "a.csv").write_bytes(b"text\nx\n")
    with pytest.raises(UsageError, match=rf"mail can only be read: .*{name}; give -o OUT.csv, or --output-f"):
        run(tmp_path / "a.csv", tmp_path / name)
    with pytest.raises(UsageError, match="mail can only be read"):
        run(tmp_path / "a.csv", tmp_path / "out", write=WriteOptions(format="mail"))


@pytest.mark.usefixtures("small_chunks")
def test_a_stopped_run_continues_with_the_same_bytes(tmp_path, run, monkeypatch):
    messages = (START + plain(b"good " * number + b"\n") for number in range(3000))
    (tmp_path / "a.mbox").write_bytes(b"\n".join(messages))
    run(tmp_path / "a.mbox", tmp_path / "whole.csv")
    monkeypatch.setattr(ledger, "COMMIT_SECONDS", 0)
    with pytest.raises(InterruptedRunError):
        run(tmp_path / "a.mbox", tmp_path / "out.csv", scorer=ParityScorer(stop_after=2))
    scorer = ParityScorer()
    run(tmp_path / "a.mbox", tmp_path / "out.csv", scorer=scorer)
    assert scorer.scored < 3000
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
