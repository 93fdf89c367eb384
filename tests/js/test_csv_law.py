"""The page of js/ reads CSV as the command line does: the same rows, the same rejects, the same scores."""

import itertools
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from mutated_tables import Case
from mutation_law import read_rejects
from sampling import every

from sentcli.errors import SentcliError
from sentcli.files.encodings import detect_encoding
from sentcli.model.bundle import default_bundle_path
from sentcli.runs.job import JobOptions
from sentcli.runs.run import score_files
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import ReadOptions

pytestmark = pytest.mark.slow

FILES = 500
_SCORE = re.compile(r"(?<=[,;\t|])[01]\.\d{6}(?=[\r\n]|$)")
_NO_UTF_8 = re.compile(r"byte 0x\w\w at offset \d+ is not utf-8")


def _mutated():
    """Yield damaged tables that need no option, because the page has none."""
    for number in itertools.count():
        case = Case("csv", number)
        options = case.options
        if options.header and not (case.compression or options.encoding or options.quotechar):
            yield case


def _of_page(js, files, folder):
    """Return for each file the result of the page, with the texts in the column that it proposes."""
    names = folder / "files.json"
    names.write_text(json.dumps(files), "utf-8")
    command = ["node", js / "score.js", names, default_bundle_path()]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=600, check=True)
    return json.loads(done.stdout)


def _of_command(scorer, file, column):
    """Return the result of `sentcli score` in the words of the page."""
    path, output = file["path"], Path(f"{file['path']}.command.csv")
    read = ReadOptions(encoding="utf-8", text_column=str(column), max_row_bytes=file["limit"])
    try:
        summary = score_files(scorer, [path], str(output), JobOptions(read=read))
    except SentcliError as error:
        return {"error": str(error)}
    empty = summary.blank + summary.no_known_word
    return {"column": column, "rows": summary.rows, "rejected": summary.rejected, "empty": empty}


def _rejects(output):
    """Return where each rejected row is, why it is rejected, without a hint, and its bytes."""
    entries = read_rejects(output.with_name(f"{output.name}.rejects.jsonl"))
    reasons = (_NO_UTF_8.sub("not UTF-8", entry["reason"].partition("; ")[0]) for entry in entries)
    return [
        (entry["line"], entry["offset"], reason, entry["bytes"])
        for entry, reason in zip(entries, reasons, strict=True)
    ]


def _check(file, page, command):
    if "error" in page or "error" in command:
        assert "error" in page
        assert "error" in command or ("it is empty" in page["error"] and command["rows"] == 0)
        return
    assert page == command
    outputs = [Path(f"{file['path']}.{name}") for name in ("page", "command.csv")]
    found, expected = (output.read_bytes().decode() for output in outputs)
    assert _SCORE.split(found) == _SCORE.split(expected)
    scores = [[*map(float, _SCORE.findall(text))] for text in (found, expected)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    assert _rejects(outputs[0]) == _rejects(outputs[1])


def test_mutated_files_have_the_rows_and_scores_of_the_command(js, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # the disk is not tested
    files = []
    for number, case in enumerate(itertools.islice(_mutated(), 0, FILES, every(10))):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(case.data)
        files.append({"path": str(path), "limit": case.options.max_row_bytes})
    pages = _of_page(js, files, tmp_path)
    with Scorer(workers=1) as scorer:
        for file, page in zip(files, pages, strict=True):
            data = Path(file["path"]).read_bytes()
            is_utf_8 = detect_encoding([data])[0] in ("ascii", "utf-8")
            if "not UTF-8:" in page.get("error", ""):
                assert not is_utf_8, file
            else:
                assert is_utf_8 or b"\0" in data, file
                _check(file, page, _of_command(scorer, file, page.get("column", 1)))
