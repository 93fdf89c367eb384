import csv

from systems.base import Context, System


class Shouting(System):
    def positive(self, texts):
        return [float("!" in text) for text in texts]


def context(folder):
    return Context(str(folder), "train", None, None, cores=2)


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
    for options in ({}, {"pooled": True}):
        system = Shouting(context(tmp_path), **options)
        system.score_file(tmp_path / "in.csv", tmp_path / "out.csv")
        check(tmp_path / "out.csv", texts)
        assert system.score_texts(texts) == system.positive(texts)
        system.close()
