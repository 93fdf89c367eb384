"""Rated sentences become data sets with labels."""

import csv
import io
import sys
import tarfile
import zipfile

import pytest
import snippets

from sentcli.errors import DataError

RATED = """\
1\t1.0\tfine
2\t-0.9\tso so
3\t-3\tawful, with\ta tab
no line
4\t2.5\t good\x20
5\t-1.2\tbad
6\t3\tgreat
"""


def test_clearly_rated_sentences_are_taken_equally_many_of_each_label():
    found = snippets.snippets(RATED)
    assert [label for _, label in found].count("negative") == 2
    assert len(found) == 4
    assert {text for text, label in found if label == "negative"} == {"awful, with\ta tab", "bad"}
    assert {text for text, label in found if label == "positive"} < {"fine", "good", "great"}
    assert found == snippets.snippets(RATED)


def test_each_file_of_the_archive_becomes_a_data_set(tmp_path, monkeypatch):
    inner, archive = io.BytesIO(), tmp_path / "vaderSentiment-0.5.zip"
    with tarfile.open(fileobj=inner, mode="w:gz") as files:
        for name in snippets.FILES.values():
            member = tarfile.TarInfo(f"hutto/{name}")
            member.size = len(RATED)
            files.addfile(member, io.BytesIO(RATED.encode()))
    with zipfile.ZipFile(archive, "w") as outer:
        outer.writestr("vaderSentiment-0.5/hutto.tar.gz", inner.getvalue())
    folder = tmp_path / "new" / "snippets"
    monkeypatch.setattr(sys, "argv", ["snippets.py", str(archive), "--folder", str(folder)])
    snippets.main()
    for name in snippets.FILES:
        with (folder / f"{name}.csv").open(newline="") as lines:
            rows = [(row["text"], row["label"]) for row in csv.DictReader(lines)]
        assert rows == snippets.snippets(RATED)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "other.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"other\.zip: not the source of vaderSentiment 0\.5"):
        snippets.read(tmp_path / "other.zip")
    with pytest.raises(DataError, match="not the source"):
        snippets.read(tmp_path / "missing.zip")
