"""Rated sentences become data sets with labels."""

import snippets

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
