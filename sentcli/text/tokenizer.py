"""Normalize texts and tokenize them as torchtext's `basic_english` does; truncate long texts."""

from sentcli.text.normalize import normalize

# From torchtext 0.18.0, torchtext/data/utils.py: the patterns of `basic_english`, in the same order. All are
# literal, so str.replace can replace the regular expressions and takes 40 % of their time. The last pattern,
# runs of white space, is left to str.split.
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
