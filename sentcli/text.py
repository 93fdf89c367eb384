"""From a text to the ids of its words: the tokeniser and the vocabulary. Standard library only."""

from collections import Counter
from collections.abc import Iterable, Sequence

from sentcli.errors import BundleError

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
    """The words that a model knows; a word's id is its place in the list.

    :param words: `<pad>`, `<unk>`, then the ordinary words, each once.
    :raises BundleError: when the list does not begin so, or a word comes twice or is no token.
    """

    def __init__(self, words: Sequence[str]) -> None:
        if list(words[:2]) != [PAD, UNK]:
            raise BundleError(f"a vocabulary begins with {PAD} and {UNK}, not with {list(words[:2])!r:.200}")
        if " ".join(words).split() != list(words):
            wrong = next(word for word in words if word.split() != [word])
            raise BundleError(f"the vocabulary has {wrong!r:.200}, which is empty or has white space in it")
        if len(set(words)) != len(words):
            repeated = next(word for word, count in Counter(words).items() if count > 1)
            raise BundleError(f"the vocabulary has the word {repeated!r:.200} twice")
        self.words = tuple(words)
        # <pad> and <unk> stay out: a text that contains them literally means an unknown word.
        self._ids = _Ids(zip(words[2:], range(2, len(words)), strict=True))

    @classmethod
    def build(cls, texts: Iterable[Sequence[str]], min_freq: int) -> "Vocab":
        """Collect the words of tokenised texts, most frequent first, ties in alphabetical order.

        :param texts: token lists, of the training part only.
        :param min_freq: words seen less often are left to `<unk>`.
        """
        counts: Counter[str] = Counter()
        for tokens in texts:
            counts.update(tokens)
        for special in (PAD, UNK):
            del counts[special]
        kept = [word for word, count in counts.items() if count >= min_freq and _is_utf8(word)]
        kept.sort(key=lambda word: (-counts[word], word))
        return cls([PAD, UNK, *kept])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Give the id of each token, 1 for those that are not in the vocabulary."""
        return list(map(self._ids.__getitem__, tokens))

    def to_text(self) -> str:
        """Write one word a line; the line number is the id."""
        return "".join(f"{word}\n" for word in self.words)

    @classmethod
    def from_text(cls, text: str) -> "Vocab":
        """Read what `to_text` wrote.

        :raises BundleError: when the text is not a vocabulary.
        """
        return cls(text.removesuffix("\n").split("\n"))


def _is_utf8(word: str) -> bool:
    """Tell whether `vocab.txt` can hold the word: a lone surrogate has no UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in word)


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
