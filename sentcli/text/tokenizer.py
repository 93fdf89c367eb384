"""From a text to the ids that a model reads.

Texts are normalized and tokenized as by torchtext's `basic_english`; a vocabulary has the ids.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from sentcli.errors import BundleError, is_utf8
from sentcli.text.normalize import normalize

PAD, UNK = "<pad>", "<unk>"
PAD_ID, UNK_ID = 0, 1

# From torchtext 0.18.0, torchtext/data/utils.py: the patterns of `basic_english`. All are
# literal, so str.replace can replace the regular expressions and takes 40 % of their time. The last pattern,
# runs of white space, is left to str.split.
REPLACEMENTS = (
    ("'", " '  "),
    ('"', ""),
    *((mark, f" {mark} ") for mark in ".,()!?"),
    *((separator, " ") for separator in ("<br />", ";", ":")),
)


def tokenize(text: str) -> list[str]:
    """Return the tokens of `get_tokenizer("basic_english")` of torchtext 0.18.0.

    :returns: lower-case tokens without white space; empty for a blank text.
    """
    text = text.lower()
    for mark, replacement in REPLACEMENTS:
        text = text.replace(mark, replacement)
    return text.split()


def words_of(text: str) -> list[str]:
    """Return the tokens of the normalized text: what the model reads, in training and in scoring."""
    return tokenize(normalize(text))


def truncate(ids: list[int], max_tokens: int) -> list[int]:
    """Cut a longer text to `max_tokens` ids: a quarter from its beginning, the others from its end.

    Reviews begin with their subject and end with the verdict. On IMDb this costs less accuracy than keeping
    only the beginning.
    """
    if len(ids) <= max_tokens:
        return ids
    head = head_tokens(max_tokens)
    return ids[:head] + ids[len(ids) - (max_tokens - head) :]


def head_tokens(max_tokens: int) -> int:
    """Return the number of ids that `truncate` keeps from the beginning of a text."""
    return max_tokens // 4


class Vocab:
    """The words and bigrams that a model knows; the id of each is its index in the list.

    A bigram is a pair of consecutive words that a model reads as one token, in one LSTM step instead of two.

    :param words: `<pad>`, `<unk>`, the single words, then the bigrams with a space between their two words,
        without repetitions.
    :ivar first_bigram: ids from this one on are bigrams.
    """

    def __init__(self, words: Sequence[str]) -> None:
        if list(words[:2]) != [PAD, UNK]:
            raise BundleError(f"a vocabulary begins with {PAD} and {UNK}, not with {list(words[:2])!r:.200}")
        count = next((place for place, word in enumerate(words) if " " in word), len(words))
        if " ".join(words[:count]).split() != list(words[:count]):
            wrong = next(word for word in words if word.split() != [word])
            raise BundleError(f"the vocabulary has {wrong!r:.200}, which is empty or contains white space")
        if len(set(words)) != len(words):
            repeated = next(word for word, count in Counter(words).items() if count > 1)
            raise BundleError(f"the vocabulary has the word {repeated!r:.200} twice")
        _check_bigrams(words[:count], words[count:])
        self.words = tuple(words)
        self.first_bigram = count
        # Without <pad> and <unk>, which are unknown words if a text contains them.
        self._ids = dict(zip(words[2:], range(2, len(words)), strict=True))

    @cached_property
    def bigrams(self) -> list[tuple[int, int]]:
        """The ids of the two words of each bigram, in the order of the bigrams' own ids."""
        ids = map(self._ids.__getitem__, " ".join(self.words[self.first_bigram :]).split())
        return list(zip(ids, ids, strict=True))

    @classmethod
    def of_counts(cls, counts: Counter[str], min_freq: int) -> "Vocab":
        """Return a vocabulary ordered by frequency, highest first; words of equal frequency are sorted."""
        kept = {word for word, count in counts.items() if count >= min_freq and is_utf8(word)} - {PAD, UNK}
        return cls([PAD, UNK, *sorted(kept, key=lambda word: (-counts[word], word))])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Return the ids of words, with 1 for unknown words; bigrams are matched from the left."""
        if self.first_bigram == len(self):
            return [self._ids.get(word, UNK_ID) for word in tokens]
        ids: list[int] = []
        before = ""  # the word that a bigram may begin with
        for word in tokens:
            bigram = self._ids.get(f"{before} {word}")
            if bigram is None:
                ids.append(self._ids.get(word, UNK_ID))
                before = word
            else:
                ids[-1] = bigram
                before = ""
        return ids

    def to_text(self) -> str:
        """Return one word per line; the number of the line, from 0, is the id."""
        return "".join(f"{word}\n" for word in self.words)

    @classmethod
    def from_text(cls, text: str) -> "Vocab":
        """Return the vocabulary from the text that `to_text` returned."""
        return cls(text.removesuffix("\n").split("\n"))


def _check_bigrams(words: Sequence[str], bigrams: Sequence[str]) -> None:
    """Refuse bigrams that are not two words of the list with one space between them."""
    known = {*words[2:]}
    parts = " ".join(bigrams).split(" ") if bigrams else []
    if len(parts) != 2 * len(bigrams) or not known >= {*parts} or not all(" " in pair for pair in bigrams):
        wrong = next(pair for pair in bigrams if pair.count(" ") != 1 or not known >= {*pair.split(" ")})
        raise BundleError(f"the vocabulary has {wrong!r:.200}, which is not a pair of its words")
