"""README and docs are right: commands parse, transcripts are what is printed, figures are those measured."""

import builtins
import csv
import html
import re
import subprocess
from pathlib import Path

import api_page
import click
import commands_page
import exports_table
import figures
import numpy as np
import pytest
import yaml
from commands import invoke, parse
from references import PAGES, ROOT, read, run_transcripts, with_settings
from sampling import whole_only

import sentcli
from sentcli.cli import main
from sentcli.datasets.labels import LABEL_COLUMNS
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.text.null_values import NULL_VALUES

REVIEWS = ROOT / "tests" / "data" / "reviews.csv"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)


def sentcli_lines(page: str) -> list[str]:
    """Return each `sentcli ...` of the shell blocks and transcripts."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"^\$ (.*)$", read(page), re.MULTILINE)
    lines += [line for block in blocks(page, "yaml") for line in strings(yaml.safe_load(block))]
    lines = [re.sub(r"\$\(\(.*?\)\)|\$[A-Z]\w*|\{\}", "1", line) for line in lines]  # the number of a shard
    parts = [part.strip() for line in lines for part in re.split(r"&&|\|\|", line)]
    return [part for part in parts if re.search(r"(^|[|/]\s*)sentcli ", part)]


def strings(value: object) -> list[str]:
    """Return the strings in a document of YAML."""
    if isinstance(value, dict | list):
        return [
            text for each in (value.values() if isinstance(value, dict) else value) for text in strings(each)
        ]
    return [value] if isinstance(value, str) else []


def marked(name: str) -> str:
    """Return the command after a marker of README, found as `.ci/run` finds it."""
    pattern = rf"^<!-- {name} -->\n```sh\n(.*)\n```$"
    (command,) = re.findall(pattern, read("README.md"), re.MULTILINE)
    return command


def without_times(text: str) -> str:
    return re.sub(r" in [\d.]+ s(, [\d,]+ rows/s)?$", " in N s", text, flags=re.MULTILINE)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_commands_parse(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("data", "docs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    for block in blocks(page, "toml"):
        name = block.partition("\n")[0].removeprefix("# ")
        Path(name).write_text(block, "utf-8")
    for line in sentcli_lines(page):
        try:
            parse(line)
        except click.ClickException as error:
            pytest.fail(f"{line}: {error.format_message()}")


@pytest.mark.parametrize("page", sorted(name for name in PAGES if "```console" in read(name)))
def test_transcripts_are_what_the_tool_prints(page: str, tmp_path: Path) -> None:
    if page == "evaluation.md":
        pytest.importorskip("sklearn")
    assert without_times(run_transcripts(page, tmp_path)) == without_times(read(page))


@pytest.mark.parametrize("page", sorted(PAGES))
def test_python_code_compiles(page: str) -> None:
    for block in blocks(page, "python"):
        compile(block, page, "exec")


@pytest.mark.parametrize("page", sorted(PAGES))
def test_links_lead_somewhere(page: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)", read(page)):
        path = PAGES[page].parent / target if target else PAGES[page]
        assert path.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]


def test_readme_is_short_and_begins_with_what_one_needs() -> None:
    text = read("README.md")
    assert text.count("\n") <= 150
    assert len(text.split()) <= 1100
    for part in (
        "pip install .",
        "docs/pictures/report-light.png",
        "docs/pictures/explain-light.svg",
        "js/README.md",
    ):
        assert part in text.partition("## Install")[0]


GENERATED = ("api.md", "commands.md", "training-settings.md")


def test_the_documentation_is_no_longer_than_it_has_to_be() -> None:
    """As `wc -w` counts, without what is generated; a new fact replaces an older one, or is shorter."""
    pages = (
        read(name) for name, path in PAGES.items() if path.parent.name == "docs" and name not in GENERATED
    )
    written = (re.sub(r"<!-- ([\w ]+) -->.*?<!-- end of \1 -->", "", page, flags=re.DOTALL) for page in pages)
    assert sum(len(page.split()) for page in written) <= 18_000


@pytest.mark.parametrize("page", sorted(PAGES))
def test_shell_blocks_are_bash(page: str) -> None:
    for block in blocks(page, "sh"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


def test_the_table_of_exports_has_the_examples_of_the_tests() -> None:
    titles = {example.name: example.title for example in exports_table.EXAMPLES}
    rows = re.findall(r"^\| (.*) \| `(.*)` \| (?:is |asks)", read("inputs.md"), re.MULTILINE)
    assert [*rows] == [(titles[name], name) for name in exports_table.NAMES]


@pytest.mark.slow
@whole_only
def test_the_table_of_exports_says_what_happens() -> None:
    assert exports_table.with_exports(read("inputs.md")) == read("inputs.md")


def test_each_marked_command_is_one_line() -> None:
    for name in ("score command", "test command"):
        assert marked(name).startswith("python3 -m venv ")
    assert marked("score command").endswith(f"sentcli score {REVIEWS.relative_to(ROOT)}")
    assert marked("test command").endswith("python -m pytest -n auto --dist worksteal")
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text()


def test_names_of_label_columns_are_listed() -> None:
    for name in LABEL_COLUMNS:
        assert f"`{name}`" in read("training.md")


def test_all_settings_of_training_are_listed() -> None:
    assert with_settings(read("training-settings.md")) == read("training-settings.md")


def test_the_command_page_is_up_to_date() -> None:
    assert commands_page.page() == read("commands.md")
    assert sorted(commands_page.COMMANDS) == sorted(main.commands)


@pytest.mark.parametrize("command", commands_page.COMMANDS)
def test_the_command_page_has_what_help_says(command: str) -> None:
    section = read("commands.md").partition(f"## sentcli {command}\n")[2].partition("\n## ")[0]
    section = re.sub(r"^### (.*)$", r"\1:", section, flags=re.MULTILINE)
    section = re.sub(
        r"^```\w*$|^\| option \| meaning \|$|^\|---\|---\|$|</?code>|\| ", "", section, flags=re.MULTILINE
    )
    section = re.sub(r" \|$", "", re.sub(r"\\(.)", r"\1", section), flags=re.MULTILINE)
    shown = invoke(command, "--help").stdout.removeprefix("Usage: ")
    assert "".join(html.unescape(section).split()) == "".join(shown.split())


def test_the_api_page_is_up_to_date() -> None:
    assert api_page.page() == read("api.md")


@pytest.mark.parametrize("found", [*api_page.entries()], ids=lambda found: found.name)
def test_each_public_name_is_documented_with_its_parameters_and_errors(found: api_page.Entry) -> None:
    assert found.text.endswith(".")
    names = {line.partition(":")[0].partition(" ")[0] for line in api_page.parameters(found.object)}
    names = {name.lstrip("*") for name in names} - {""}
    assert found.names("param") == names
    known = {kind.__name__ for kind in api_page.ERRORS} | {*dir(builtins)}
    assert found.names("raises") <= known
    if not isinstance(found.object, type):
        assert found.names("raises") or "." in found.name


def test_the_example_in_python_runs() -> None:
    exec(blocks("python.md", "python")[0], {})


def test_the_code_for_other_runtimes_gives_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = r"^<!-- other runtimes -->\n```python\n(.*?)^```$"
    (code,) = re.findall(pattern, read("models.md"), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(ROOT)
    found: dict = {}
    exec(code, found)
    with REVIEWS.open(newline="", encoding="utf-8") as file:
        texts = [row["review"] for row in csv.DictReader(file)]
    texts += ['<br />It\'s NOT a good one, (sadly): "no"; is it?!', "<p>a <b>joy</b> &amp; more&hellip;</p>"]
    texts += ["ein Film, été\u2028🎬 good", "a joy. " * 300 + "not a bore! " * 300, "good 哈哈哈 ⭐⭐⭐ Σ"]
    texts += [
        "It isn’t good—“really”… soooo bad`s *not* 10/10 A+ 100%",
        "awe\xadsome\xa0😍😍 👍🏽❤\ufe0f <3 ｆｕｌｌ 𝓰𝓸𝓸𝓭",
    ]
    with sentcli.load() as scorer:
        wanted = scorer.probabilities(texts)
    assert np.abs(found["probabilities"](texts) - wanted).max() < 1e-6
    assert round(float(found["probabilities"](["an absolute joy"])[0, 1]), 6) == 0.992086


def test_the_code_for_empty_texts_finds_those_without_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found: dict = {}
    for name in ("other runtimes", "empty texts"):
        (code,) = re.findall(rf"^<!-- {name} -->\n```python\n(.*?)^```$", read("models.md"), re.M | re.S)
        exec(code, found)
    assert tuple(found["NULL_VALUES"]) == NULL_VALUES
    texts = [None, "", " n/A\t", "12 !", "5 * 😀", "zzyzzxq", "<br>", "ⅷ", "a joy", "10/10", "-"]
    with sentcli.load() as scorer:
        labels = scorer.score(texts).labels
    assert [found["is_empty"](text) for text in texts] == [label is None for label in labels]


def test_figures_are_those_that_were_measured() -> None:
    """Before a release, `python benchmarks/figures.py --check` also asks for those of the included model."""
    for path, page in figures.written().items():
        assert path.read_text("utf-8") == page, "run: python benchmarks/figures.py"
    rows = re.findall(r"^\| .* \| `(.*)` \| [\d,]+ \| [\d.]+ \|", read("evaluation.md"), re.MULTILINE)
    assert sorted(rows) == sorted(figures.measured())


def test_the_included_model_is_small_and_has_two_labels() -> None:
    bundle = load_bundle(default_bundle_path())
    assert bundle.config.labels == ("negative", "positive")
    assert sum(path.stat().st_size for path in bundle.path.iterdir()) <= 25e6
