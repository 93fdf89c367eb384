import throughput_picture
from measured import record, result


def test_the_picture_is_drawn(tmp_path):
    records = [
        record("sentcli", [12_000], 0.92),
        record("fasttext", [9_000], 0.9),
        record("vader", [350], 0.7),
    ]
    records += [record("distilbert-torch", [6], None, published=[0.923, 0.931])]
    throughput_picture.draw(tmp_path / "picture.png", result(*records))
    assert (tmp_path / "picture.png").stat().st_size > 10_000
