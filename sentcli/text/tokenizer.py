"""From a text to its tokens: torchtext's `basic_english`, and what a model reads of a long text."""

# torchtext 0.18.0, torchtext/data/utils.py: the patterns of `basic_english`, in its order. All are literal,
# so str.replace does the work of its regular expressions in two fifths of the time. Its last pattern, runs of
# white space, is what str.split does anyway.
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
    """Return the tokens of `get_tokenizer("basic_english")` of torchtext 0.18.0.

    :param text: any string.
    :returns: lower-case tokens without white space; empty for a blank text.
    """
    text = text.lower()
    for mark, replacement in REPLACEMENTS:
        text = text.replace(mark, replacement)
    return text.split()


def truncate(ids: list[int], max_tokens: int) -> list[int]:
    """Keep the first quarter and the last three quarters of `max_tokens` of a longer text.

    Reviews begin with their subject and end with the verdict. On IMDb this costs less accuracy than to keep
    the beginning alone.
    """
    if len(ids) <= max_tokens:
        return ids
    head = head_tokens(max_tokens)
    return ids[:head] + ids[len(ids) - (max_tokens - head) :]


def head_tokens(max_tokens: int) -> int:
    """Return how many of the ids that `truncate` keeps are the first ones of the text."""
    return max_tokens // 4
