"""Write the word vectors that come with sentcli: the first 30,000 of GloVe 6B, 100 dimensions, in 8 bits.

    python data/vectors.py glove.6B.100d.txt.gz sentcli/training/glove.safetensors

The vectors are in the public domain (PDDL). A row is divided by its largest number, and rounded to 1/127 of
it. Numbers and words with an apostrophe are missing if the source has none.
"""

import sys
from itertools import islice
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from sentcli.text.tokenizer import words_of
from sentcli.training.glove import read_rows

COUNT, WIDTH, LARGEST = 30_000, 100, 127


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    rows = (
        (word, line)
        for _, word, line in read_rows(source, WIDTH)
        if words_of(word.decode()) == [word.decode()]
    )
    words, lines = zip(*islice(rows, COUNT), strict=True)
    vectors = np.array([np.array(line.split(), np.float32) for line in lines])
    scales = np.abs(vectors).max(axis=1, keepdims=True) / LARGEST
    rounded = np.rint(vectors / scales).astype(np.int8)
    text = np.frombuffer(b"\n".join(words), np.uint8)
    save_file({"words": text, "vectors": rounded, "scales": scales.astype(np.float16)}, target)


if __name__ == "__main__":
    main()
