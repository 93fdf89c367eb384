import csv

from systems.base import System, score_file


class Shouting(System):
    def __init__(self):
        pass

    def positive(self, texts):
        return [float("!" in text) for text in texts]


def test_a_peer_returns_every_row_in_order(tmp_path):
    texts = [f'line\n"{number}",{"!" * (number % 2)}' for number in range(9_000)]  # more than one chunk
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(texts)])
    labels = ["positive" if "!" in text else "negative" for text in texts]
    for processes in (1, 2):
        memory = score_file(Shouting(), tmp_path / "in.csv", tmp_path / "out.csv", processes)
        with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [(row["id"], row["text"]) for row in rows] == [
            (str(row), text) for row, text in enumerate(texts)
        ]
        assert [row["sentiment"] for row in rows] == labels
        assert 1 < memory < 2_000
