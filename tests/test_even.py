"""Words of one kind have one vector, and n-grams of labeled texts know their tone."""

import numpy as np
import torch
from even import even_vectors, read_kinds, same_ids
from ngrams import fit_ngrams

from sentcli.text.vocabulary import Vocab

KINDS = {"ann": "name", "bob": "name", "wife": "kin", "husband": "kin"}
VOCAB = Vocab(
    ["<pad>", "<unk>", "my", "ann", "bob", "wife", "husband", "was", "my wife", "my husband", "was my"]
)


def test_words_of_a_kind_and_their_bigrams_have_one_vector():
    vectors = torch.rand(len(VOCAB), 3)
    before = vectors.clone()
    even_vectors(vectors, VOCAB, KINDS)
    ids = {word: number for number, word in enumerate(VOCAB.words)}
    assert torch.equal(vectors[ids["ann"]], before[[ids["ann"], ids["bob"]]].mean(0))
    assert torch.equal(vectors[ids["ann"]], vectors[ids["bob"]])
    assert torch.allclose(vectors[ids["my wife"]], (vectors[ids["my"]] + vectors[ids["husband"]]) / 2)
    others = [ids[word] for word in ("<pad>", "<unk>", "my", "was", "was my")]
    assert torch.equal(vectors[others], before[others])
    same = same_ids(VOCAB, KINDS)
    assert same[ids["bob"]] == ids["ann"]
    assert same[ids["my husband"]] == ids["my wife"]
    assert same[others].tolist() == others


def test_no_listed_word_has_an_everyday_meaning():
    kinds = read_kinds()
    assert len(kinds) > 4000
    assert not kinds.keys() & {"will", "grace", "joy", "may", "old", "black", "hope", "mark", "bill", "rose"}


def test_ngrams_find_the_tone_of_pairs():
    good, bad = [np.array([2, 3, 4]), np.array([2, 5])], [np.array([4, 3, 2]), np.array([3, 5])]
    model = fit_ngrams((good + bad) * 20, np.array([True, True, False, False] * 20), words=6)
    odds = model.log_odds([*good, *bad, np.array([1])])
    assert (odds[:2] > 0).all()
    assert (odds[2:4] < 0).all()
    assert odds[4] == 0
