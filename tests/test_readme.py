"""README says what is so: its commands exist, its files are there, its first command does what it says."""

import csv
import re
from pathlib import Path

import click
import numpy as np
import pytest
from commands import invoke, parse

import sentcli
from sentcli.evaluation.datasets import LABEL_COLUMNS
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.tables.columns import TEXT_COLUMNS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
REVIEWS = ROOT / "tests" / "data" / "reviews.csv"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def sentcli_lines():
    """Give every `sentcli ...` of the shell blocks, with what is piped into it."""
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [part for part in parts if re.search(r"(^|[|/]\s*)sentcli ", part)]


def marked(name):
    """Give the command after a marker, found as `.ci/run` finds it."""
    (command,) = re.findall(rf"^<!-- {name} -->\n```sh\n(.*)\n```$", README, re.MULTILINE)
    return command


def test_the_commands_of_the_readme_exist():
    lines = sentcli_lines()
    assert len(lines) >= 4
    for line in lines:
        try:
            parse(line)
        except click.ClickException as error:
            pytest.fail(f"{line}: {error.format_message()}")


def test_a_command_that_does_not_exist_would_be_found():
    for line in (
        "sentcli score r.csv --colour",
        "sentcli rate r.csv",
        "echo x | .venv/bin/sentcli score --fast",
    ):
        with pytest.raises(click.ClickException):
            parse(line)


def test_each_marked_command_is_there_once_and_on_one_line():
    for name in ("score command", "test command"):
        assert README.count(f"<!-- {name} -->") == 1
        assert marked(name).startswith("python3 -m venv ")


def test_the_first_command_scores_the_file_of_the_repository():
    assert marked("score command").endswith(f"sentcli score {REVIEWS.relative_to(ROOT)}")


def test_the_second_command_runs_the_tests_and_ci_runs_it():
    assert marked("test command").endswith("python -m pytest")
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text()


def test_the_names_that_columns_are_found_by_are_told():
    for name in (*TEXT_COLUMNS, *LABEL_COLUMNS):
        assert f"`{name}`" in README
    told = " ".join(invoke("score", "--help").stdout.split())
    assert f"by default {', '.join(TEXT_COLUMNS[:-1])} or {TEXT_COLUMNS[-1]}" in told


def test_code_in_the_readme_compiles():
    for block in blocks("python"):
        compile(block, "README.md", "exec")


def test_the_code_for_other_runtimes_gives_the_same_scores(monkeypatch):
    (code,) = re.findall(r"^<!-- other runtimes -->\n```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(ROOT)
    found = {}
    exec(code, found)
    with REVIEWS.open(newline="", encoding="utf-8") as file:
        texts = [row["review"] for row in csv.DictReader(file) if row["review"].strip()]
    texts += [
        "x",
        '<br />It\'s NOT a good one, (sadly): "no"; is it?!',
        "<unk> <pad>",
        "ein Film, été\u2028🎬",
    ]
    texts += ["a joy. " * 300 + "not a bore! " * 300]
    with sentcli.load() as scorer:
        wanted = scorer.probabilities(texts)
    assert np.abs(found["probabilities"](texts) - wanted).max() < 1e-6
    assert round(float(found["probabilities"](["an absolute joy"])[0, 1]), 6) == 0.980801


def test_links_within_the_repository_lead_somewhere():
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_model_in_the_box_knows_good_reviews_from_bad_ones():
    result = invoke("score", REVIEWS)
    assert result.exit_code == 0, result.stderr
    scored = list(csv.DictReader(result.stdout.splitlines(keepends=True)))
    with REVIEWS.open(newline="", encoding="utf-8") as file:
        reviews = list(csv.DictReader(file))
    assert [{name: row[name] for name in reviews[0]} for row in scored] == reviews
    right = [row["sentiment"] == ("positive" if int(row["stars"]) > 3 else "negative") for row in scored]
    assert len(right) >= 10
    assert sum(right) >= 0.9 * len(right)


def test_the_model_in_the_box_is_small_and_says_negative_or_positive():
    bundle = load_bundle(default_bundle_path())
    assert bundle.config.labels == ("negative", "positive")
    assert sum(path.stat().st_size for path in bundle.path.iterdir()) <= 25e6
