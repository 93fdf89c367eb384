"""Texts that lie in bytes, as readers give them."""

from collections.abc import Sequence

import numpy as np

from sentcli.files.textcolumn import TextBlock


def make_block(texts: Sequence[str], encoding: str = "utf-8", between: bytes = b"\n") -> TextBlock:
    """Put texts into bytes, with others before, between and behind them."""
    encoded = [text.encode(encoding, "surrogatepass") for text in texts]
    sizes = np.array([*map(len, encoded)], np.intp)
    starts = np.cumsum(sizes + len(between)) - sizes
    are_wide = np.array([not text.isascii() for text in texts], bool)
    return TextBlock(between + between.join([*encoded, b""]), starts, starts + sizes, are_wide, encoding)
