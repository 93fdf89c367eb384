from sentcli.training.learnt import digest_of_set, digest_texts


def test_a_digest_tells_texts_and_their_order_apart():
    assert digest_texts(["a", "b"]) == digest_texts(iter(["a", "b"]))
    assert digest_texts(["a", "b"]) != digest_texts(["b", "a"])
    assert digest_texts(["a", "b"]) != digest_texts(["ab"])
    assert digest_texts(["\ud800"]) != digest_texts(["\ud801"])


def test_a_set_of_texts_has_no_order_and_no_copies():
    assert digest_of_set(["b", "a", "b"]) == digest_of_set(["a", "b"])
    assert digest_of_set(["a", ""]) == digest_of_set(["a"])  # which texts without labels lack
    assert digest_of_set(["a"]) != digest_of_set(["a", "b"])
