import csv
from dataclasses import replace

from systems import ENTRIES
from systems.base import System, score_file, spaced


class Shouting(System):
    def __init__(self):
        pass

    def positive(self, texts):
        return [float("!" in text) for text in texts]


def write(path, texts):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(texts)])


def check(path, texts):
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["text"]) for row in rows] == [(str(row), text) for row, text in enumerate(texts)]
    assert [row["sentiment"] for row in rows] == ["positive" if "!" in text else "negative" for text in texts]


def test_a_peer_returns_every_row_in_order(tmp_path):
    texts = [f'line\n"{number}",{"!" * (number % 2)}' for number in range(9_000)]  # more than one chunk
    write(tmp_path / "in.csv", texts)
    for processes in (1, 2):
        memory = score_file(Shouting(), tmp_path / "in.csv", tmp_path / "out.csv", processes)
        check(tmp_path / "out.csv", texts)
        assert 1 < memory < 2_000


def test_entries_of_one_model_train_it_alike():
    assert len({entry.key for entry in ENTRIES}) == len(ENTRIES)
    models = {entry.model: entry.options for entry in ENTRIES if entry.model}
    assert all(models[entry.model] == entry.options for entry in ENTRIES if entry.model)


def test_a_package_that_is_not_installed_is_missing():
    entry = replace(ENTRIES[-1], needs="no_such_module")
    assert entry.is_missing
    assert not replace(entry, apart=True).is_missing


def test_a_text_is_one_line_with_its_marks_apart():
    assert spaced("It's\nOK.") == "it ' s ok . "
