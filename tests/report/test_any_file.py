"""Small files of every odd kind get a page each."""

import json
import random

import pytest
from commands import invoke
from sampling import every

TEXTS = (
    "The staff was rude.",
    "A lovely room with a view, but no parking",
    "Great location, tiny room",
    "El personal fue grosero y la habitación estaba sucia.",
    "服务很好",
    "zqxwy vvv",
    "",
    "12 !!",
    '<b>bold</b> & "quoted" {{ it }} {% if %}',
    "The pool. " * 300,
)
NAMES = ("review", "<script>", "{{ name }}", "date", "stars", "a" * 300, "&amp;", "Größe")
VALUES = (
    "",
    "0001-01-01",
    "9999-12-31",
    "31/12/2025",
    "5",
    "-1",
    "York",
    "<i>",
    "nan",
    "1e999",
    "🙂",
    "x" * 500,
)


def rows_of(draw):
    """Return a few rows with results, of a kind that is drawn too."""
    texts = draw.sample(TEXTS, draw.choice((1, 1, 2, 5)))
    labels = draw.sample(("negative", "neutral", "mixed", "positive"), draw.choice((1, 1, 2, 4)))
    names = draw.sample(NAMES[1:], draw.choice((0, 1, 3)))
    count = draw.choice((0, 1, 1, 2, 7, 40, 300))
    values = [str(number) for number in range(1000)] if draw.random() < 0.1 else draw.sample(VALUES, 3)
    for _ in range(count):
        text, label = draw.choice(texts), draw.choice(labels)
        score = {"negative": 0.1, "positive": 0.9}.get(label, 0.5)
        results = (
            {"sentiment": label, "sentiment_score": score}
            if text
            else dict.fromkeys(("sentiment", "sentiment_score"))
        )
        yield {"review": text, **results, **{name: draw.choice(values) for name in names}}


@pytest.mark.parametrize("seed", range(0, 500, every(25)))
def test_any_file_gets_a_page(seed, tmp_path):
    draw = random.Random(seed)
    rows = [*rows_of(draw)]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    columns = [name for name in ("date", "stars", "<script>") if rows and name in rows[0]]
    options = [
        f"--{kind}={name}"
        for kind, name in zip(("by-time", "by", "by"), columns, strict=False)
        if draw.random() < 0.5
    ]
    options += ["--about=room=room,suite"] * (draw.random() < 0.3)
    options += ["-c", "review"] * bool(rows)
    done = invoke("report", tmp_path / "in.jsonl", "-o", tmp_path / "page.html", *options)
    assert done.exit_code == 0, done.output
    assert f"{len(rows)} review" in (tmp_path / "page.html").read_text("utf-8")
