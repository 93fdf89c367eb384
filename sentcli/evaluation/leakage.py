"""What a model learnt from: on the same texts again its figures promise too much.

A model keeps the smallest hashes of all the texts that it learnt from: a sample in which no text is likelier
than another, and which tells of any other texts how many are among them (A. Broder, "On the resemblance and
containment of documents", 1997).
"""

import base64
import hashlib
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from sentcli.errors import BundleError
from sentcli.evaluation.metrics import wilson_interval
from sentcli.evaluation.metrics_file import read_metrics
from sentcli.model.bundle import METRICS, Bundle

_KEPT = 2048  # of the 75,000 texts of IMDb, which the model in the box learnt from, that is one in 36
_SHORTEST = 25  # characters; shorter ones, `Great product!`, many people write alike

Sample: TypeAlias = npt.NDArray[np.uint64]


class Share(NamedTuple):
    """How many of some texts a model learnt from, those that were held out included.

    :param about: the estimate, from 0 to 1.
    :param least: the lower end of its 95 % interval: of a few texts, one that is known may be chance.
    """

    about: float
    least: float


def sample(texts: Iterable[str]) -> Sample:
    """Give the smallest hashes of texts, in ascending order; white space and copies make no difference."""
    return _hashes(texts)[:_KEPT]


def united(one: Sample, other: Sample) -> Sample:
    """Give the sample of the texts of two."""
    return np.union1d(one, other)[:_KEPT]


def sample_to_json(kept: Sample) -> str:
    """Write a sample for `metrics.json`: 8 bytes a hash, the lowest first, in base64."""
    return base64.b64encode(kept.astype("<u8").tobytes()).decode()


def share_learnt(bundle: Bundle, texts: Iterable[str]) -> Share:
    """Estimate how many of these texts a model learnt from.

    Of a model that does not say what it learnt from, such as an export, nothing is known: 0.

    :raises BundleError: when what it says is damaged.
    """
    return share_in(sample_of(bundle), texts) if METRICS in bundle.digests else Share(0.0, 0.0)


def share_in(kept: Sample, texts: Iterable[str]) -> Share:
    """Estimate how many of these texts are among those that a sample is of."""
    hashes = _hashes(texts)
    is_sample = len(kept) == _KEPT
    if is_sample:  # of texts with higher hashes it says nothing
        hashes = hashes[hashes <= kept[-1]]
    if not len(hashes):
        return Share(0.0, 0.0)
    known = int(np.isin(hashes, kept).sum())
    share = known / len(hashes)
    return Share(share, wilson_interval(known, len(hashes))[0] if is_sample else share)


def sample_of(bundle: Bundle) -> Sample:
    """Give the sample that a model keeps of what it learnt from.

    :raises BundleError: when it is damaged.
    """
    try:
        data = base64.b64decode(read_metrics(bundle).get("learnt_sample", ""), validate=True)
        return np.frombuffer(data, "<u8")
    except (TypeError, ValueError) as error:
        raise BundleError(f"{bundle.path / METRICS}: it does not say what was learnt: {error}") from error


def _hashes(texts: Iterable[str]) -> Sample:
    """Hash each text once; short ones only where there are no others."""
    plain = filter(None, (" ".join(text.split()) for text in texts))
    hashed = np.fromiter(
        ((_hash(text), len(text) < _SHORTEST) for text in plain), [("hash", "u8"), ("short", "?")]
    )
    is_telling = ~hashed["short"] | hashed["short"].all()
    return np.unique(hashed["hash"][is_telling])


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())
