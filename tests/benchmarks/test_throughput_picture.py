import itertools

import throughput_picture
from matplotlib.text import Text
from measured import record, result


def test_no_label_covers_another_or_leaves_the_picture(tmp_path, monkeypatch):
    seen = []
    place = throughput_picture.place_labels
    monkeypatch.setattr(
        throughput_picture, "place_labels", lambda *arguments: seen.append((arguments, place(*arguments)))
    )
    records = [record("sentcli", [12_000], 0.92)]
    records += [record(f"one of a crowd, {number}", [9_000 + 400 * number], 0.9) for number in range(8)]
    records += [record("distilbert", [6], None, published=[0.923, 0.931]), record("vader", [350], 0.7)]
    throughput_picture.draw(tmp_path / "picture.png", result(*records))
    ((axes, _), boxes) = seen[0]
    assert len(boxes) == len(records)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    # What was reckoned is where matplotlib puts them.
    drawn = [Text.get_window_extent(text) for text in axes.texts]  # without the line to its point
    assert not any(one.overlaps(other) for one, other in itertools.combinations(drawn, 2))
    figure = axes.figure.bbox
    assert all(box.x0 >= figure.x0 and box.x1 <= figure.x1 and box.y1 <= figure.y1 for box in drawn)
    assert (tmp_path / "picture.png").stat().st_size > 10_000
