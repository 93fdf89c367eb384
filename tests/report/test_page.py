"""The page: what it says, and that nothing in a text does anything."""

import base64
import csv
import hashlib
import re
from html.parser import HTMLParser

import pytest
from commands import fail, invoke


class Elements(HTMLParser):
    """All elements of a page with their attributes, and the text in them."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def report(path, *arguments):
    page = path.with_suffix(".html")
    done = invoke("report", path, "-o", page, "--overwrite", *arguments)
    assert done.exit_code == 0, done.output
    return page.read_text("utf-8")


def write(path, rows, header=("review", "sentiment", "sentiment_score")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_it_says_what_the_reviews_say(page):
    text = " ".join(Elements(page.read_text("utf-8")).text.split())
    assert "902 reviews in scored.csv" in text
    assert "By subject" in text
    assert "agree with their stars" in text
    assert "January 2024" in text
    for name in ("dreadful", "wonderful", "Most negative", "Against their stars"):
        assert name in text


def test_texts_do_nothing(page):
    content = page.read_text("utf-8")
    elements = Elements(content).found
    assert sum(tag == "script" for tag, _ in elements) == 1
    assert not {"img", "iframe", "link", "object", "form", "base"} & {tag for tag, _ in elements}
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
    assert not [of for _, of in elements if "src" in of or not of.get("href", "#").startswith("#")]
    assert "&lt;b&gt;radio&lt;/b&gt;" in content
    assert "url(" not in content


def test_only_the_own_script_may_run(page):
    content = page.read_text("utf-8")
    (script,) = re.findall("<script>(.*?)</script>", content, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert policy in content


def test_the_same_bytes_again(scored, page):
    assert report(scored, "--by-time", "when").encode() == page.read_bytes()


def test_a_page_of_hostile_texts_is_small(tmp_path):
    rows = [
        (f"{'&<' * 2000} {row} dreadful \U0001f600" * 2, "negative", 0.1, "&" * 200 + str(row))
        for row in range(400)
    ]
    path = write(tmp_path / "in.csv", rows, ("review", "sentiment", "sentiment_score", "group"))
    assert len(report(path, "--by", "group").encode()) <= 400_000


@pytest.mark.parametrize("rows", [[], [("", "", "")], [("a joy", "positive", "0.9")]])
def test_files_of_no_or_one_row(tmp_path, rows):
    text = Elements(report(write(tmp_path / "in.csv", rows))).text
    assert f"{len(rows)} review" in text


def test_columns_with_a_prefix_and_other_formats(tmp_path):
    (tmp_path / "in.jsonl").write_text(
        '{"text":"a joy","my_sentiment":"positive","my_sentiment_score":0.9,"n":{"a":[1]}}\n'
    )
    assert "1 review in" in report(tmp_path / "in.jsonl", "--prefix", "my_")


def test_a_folder_is_one_page(tmp_path):
    (tmp_path / "scored").mkdir()
    for number in range(5):
        write(tmp_path / "scored" / f"{number}.csv", [("a joy", "positive", 0.9)])
    done = invoke("report", tmp_path / "scored", "-o", tmp_path / "x.html")
    assert done.exit_code == 0, done.output
    text = Elements((tmp_path / "x.html").read_text("utf-8")).text
    assert "5 reviews in 0.csv, 1.csv, 2.csv and 2 more" in text


def test_a_file_that_was_not_scored(tmp_path):
    path = write(tmp_path / "in.csv", [("a joy", 1)], ("review", "stars"))
    failure = fail("report", path, "-o", tmp_path / "x.html")
    assert "no column 'sentiment'; score it first" in failure.message
    path = write(tmp_path / "in.csv", [("a joy", "positive", 0.9)])
    assert "no column 'shop'" in fail("report", path, "-o", tmp_path / "x.html", "--by", "shop").message


def test_labels_of_another_model(tmp_path):
    path = write(tmp_path / "in.csv", [("a joy", "happy", 0.9)])
    failure = fail("report", path, "-o", tmp_path / "x.html")
    assert "the label 'happy' is none of negative, neutral, mixed, positive; add the --mod" in failure.message
    assert not (tmp_path / "x.html").exists()


def test_scores_that_are_no_numbers(tmp_path):
    path = write(tmp_path / "in.csv", [("a joy", "positive", "high")])
    assert "'high'" in fail("report", path, "-o", tmp_path / "x.html").message


def test_an_existing_page_is_kept(page, scored):
    failure = fail("report", scored, "-o", page)
    assert "exists; give another name, or replace it with --overwrite" in failure.message


def test_records_that_cannot_be_read_are_said(tmp_path):
    path = write(tmp_path / "in.csv", [("a joy", "positive", 0.9), ("a joy",)])
    done = invoke("report", path, "-o", tmp_path / "x.html")
    assert "1 row left out, because they cannot be read" in done.stderr
    assert "1 review in" in (tmp_path / "x.html").read_text("utf-8")


def test_answers_from_0_to_10_are_named(tmp_path):
    rows = [("dreadful, and rude staff", 2), ("wonderful, an absolute joy", 10), ("a lovely, warm place", 0)]
    write(tmp_path / "in.csv", rows * 4, ("review", "How likely are you to recommend us?"))
    done = invoke("score", tmp_path / "in.csv", "-o", tmp_path / "out.csv", "--report", tmp_path / "run.html")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "run.html").read_text("utf-8")
    assert "By answers from 0 to 10: <bdi>How likely are you to recommend us?</bdi>" in page
    assert "<td>promoters (9 and 10)</td>" in page
    assert "agree with their answers, of 12 with clear ones" in page
    assert "\u2605" not in page
