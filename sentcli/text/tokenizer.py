"""From a text to the ids of its words: the tokeniser and the vocabulary. Standard library only."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain

from sentcli.errors import BundleError, is_utf8

PAD, UNK = "<pad>", "<unk>"
PAD_ID, UNK_ID = 0, 1

# torchtext 0.18.0, torchtext/data/utils.py: the patterns of `basic_english`, in its order. All are
# literal, so str.replace does what its regular expressions do in two fifths of the time; its last one,
# runs of white space, is what str.split does anyway.
REPLACEMENTS = (
    ("'", " '  "),
    ('"', ""),
    (".", " . "),
    ("<br />", " "),
    (",", " , "),
    ("(", " ( "),
    (")", " ) "),
    ("!", " ! "),
    ("?", " ? "),
    (";", " "),
    (":", " "),
)
IGNORED = "".join(mark for mark, replacement in REPLACEMENTS if not replacement)


def tokenize(text: str) -> list[str]:
    """Split a text into the tokens that torchtext 0.18.0's `basic_english` gives.

    :param text: any string.
    :returns: lower-case tokens without white space; empty for a blank text.
    """
    text = text.lower()
    for mark, replacement in REPLACEMENTS:
        text = text.replace(mark, replacement)
    return text.split()


class _Ids(dict[str, int]):
    """Word to id; a word that is not there is `<unk>` without being added."""

    def __missing__(self, word: str) -> int:
        return UNK_ID


class Vocab:
    """The words and phrases that a model knows; the id of each is its place in the list.

    A phrase is two words that a model reads as one where they follow each other. It says more than its words
    do one by one, and is one step of the LSTM instead of two.

    :param words: `<pad>`, `<unk>`, the ordinary words, then phrases, with a space between their two words;
        each once.
    :ivar first_phrase: ids from this one on are phrases.
    :raises BundleError: when the list does not begin so, a word comes twice or is no token, or a phrase is
        not of two words of the list.
    """

    def __init__(self, words: Sequence[str]) -> None:
        if list(words[:2]) != [PAD, UNK]:
            raise BundleError(f"a vocabulary begins with {PAD} and {UNK}, not with {list(words[:2])!r:.200}")
        count = next((place for place, word in enumerate(words) if " " in word), len(words))
        if " ".join(words[:count]).split() != list(words[:count]):
            wrong = next(word for word in words if word.split() != [word])
            raise BundleError(f"the vocabulary has {wrong!r:.200}, which is empty or has white space in it")
        if len(set(words)) != len(words):
            repeated = next(word for word, count in Counter(words).items() if count > 1)
            raise BundleError(f"the vocabulary has the word {repeated!r:.200} twice")
        _check_phrases(words[:count], words[count:])
        self.words = tuple(words)
        self.first_phrase = count
        # <pad> and <unk> stay out: a text that contains them literally means an unknown word.
        self._ids = _Ids(zip(words[2:], range(2, len(words)), strict=True))

    @cached_property
    def phrases(self) -> list[tuple[int, int]]:
        """The ids of each phrase's two words; the first one's own id is `first_phrase`, and so on."""
        words = " ".join(self.words[self.first_phrase :]).split()
        ids = map(self._ids.__getitem__, words)
        return list(zip(ids, ids, strict=True))

    @classmethod
    def build(cls, texts: Iterable[Sequence[str]], min_freq: int) -> "Vocab":
        """Collect the words of tokenised texts, as `of_counts` does.

        :param texts: token lists, of the training part only.
        """
        return cls.of_counts(Counter(chain.from_iterable(texts)), min_freq)

    @classmethod
    def of_counts(cls, counts: Counter[str], min_freq: int) -> "Vocab":
        """Order words, the most frequent first, ties in alphabetical order.

        :param counts: how often each occurs.
        :param min_freq: words seen less often are left to `<unk>`.
        """
        kept = [
            word
            for word, count in counts.items()
            if count >= min_freq and word not in (PAD, UNK) and is_utf8(word)
        ]
        kept.sort(key=lambda word: (-counts[word], word))
        return cls([PAD, UNK, *kept])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Give the ids of words, 1 for those that are not there, and of phrases, found from the left."""
        if self.first_phrase == len(self):
            return list(map(self._ids.__getitem__, tokens))
        ids: list[int] = []
        before = ""  # the word that a phrase may begin with
        for word in tokens:
            phrase = self._ids.get(f"{before} {word}")
            if phrase is None:
                ids.append(self._ids[word])
                before = word
            else:
                ids[-1] = phrase
                before = ""
        return ids

    def to_text(self) -> str:
        """Write one word a line; the line number is the id."""
        return "".join(f"{word}\n" for word in self.words)

    @classmethod
    def from_text(cls, text: str) -> "Vocab":
        """Read what `to_text` wrote.

        :raises BundleError: when the text is not a vocabulary.
        """
        return cls(text.removesuffix("\n").split("\n"))


def _check_phrases(words: Sequence[str], phrases: Sequence[str]) -> None:
    """Refuse phrases that are not two of the words with a space between them."""
    known = {*words[2:]}
    parts = " ".join(phrases).split(" ") if phrases else []
    if len(parts) != 2 * len(phrases) or not known >= {*parts} or not all(" " in each for each in phrases):
        wrong = next(each for each in phrases if each.count(" ") != 1 or not known >= {*each.split(" ")})
        raise BundleError(f"the vocabulary has {wrong!r:.200}, which is not of two words of it before it")


def truncate(tokens: list[int], max_tokens: int) -> list[int]:
    """Keep the first quarter and the last three quarters of `max_tokens` of a longer text.

    Reviews open with what they are about and close with the verdict; on IMDb this loses less accuracy
    than keeping the beginning alone.
    """
    if len(tokens) <= max_tokens:
        return tokens
    head = head_tokens(max_tokens)
    return tokens[:head] + tokens[len(tokens) - (max_tokens - head) :]


def head_tokens(max_tokens: int) -> int:
    """Give how many of the tokens that `truncate` keeps are the first ones of the text."""
    return max_tokens // 4
