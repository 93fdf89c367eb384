"""Score files of reviews on a CPU.

From Python:

    import sentcli

    with sentcli.load() as scorer:
        scorer.score(["an absolute joy"]).labels  # ['positive']
"""

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentcli.runs.summary import Summary
    from sentcli.scoring.scorer import Scorer
    from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

__version__ = "0.1.0"
__all__ = ["load", "score_file"]


def load(
    model: str | Path | None = None,
    *,
    backend: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    workers: int | None = None,
    neutral: tuple[float, float] | bool = False,
    null_values: Iterable[str] | None = None,
    probabilities: bool = False,
) -> "Scorer":
    """Open a model folder for scoring.

    :param model: a model folder, or one model file in it; None or `imdb-bilstm`: the included model.
    :param backend: `onnx`, `torch` or `torchscript`; None: the backend for the model file, onnx first.
    :param device: `cpu` or `cuda`; None: CUDA if there is a device; for onnx the CPU.
    :param precision: precision of matrix products in the torch backend: `fp32`, `bf16` or, on CUDA, `fp16`.
    :param workers: number of scoring threads; None: one for each core that this process may use.
    :param neutral: two probabilities; a text gets the label `neutral` if its score lies between them, ends
        included, the first label below and the second above. True: the band that the model brings.
    :param null_values: texts that count as blank, in any case, such as `NULL` and `N/A`; None: those of
        `sentcli.text.null_values`.
    :param probabilities: also return the probability of each label of the model.
    :raises BundleError: for a file that is missing, changed, a link or not valid; the message names it.
    :raises MissingExtraError: when the backend needs PyTorch and it is not installed.
    :raises UsageError: for options that contradict each other, fewer than 1 worker, values of
        `neutral` that are not two probabilities in order, or a model that has more than two classes, a
        class named `neutral`, or no band.
    """
    from sentcli.errors import names_arguments
    from sentcli.model.bundle import default_bundle_path, load_bundle
    from sentcli.scoring.scorer import Scorer

    with names_arguments():
        return Scorer(
            load_bundle(Path(model) if model is not None else default_bundle_path()),
            backend=backend,
            device=device,
            precision=precision,
            workers=workers,
            neutral=neutral,
            null_values=null_values,
            probabilities=probabilities,
        )


def score_file(
    source: str | Path,
    target: str | Path,
    *,
    name: str | None = None,
    scorer: "Scorer | None" = None,
    read: "ReadOptions | None" = None,
    write: "WriteOptions | None" = None,
    rejects: "RejectOptions | None" = None,
    overwrite: bool = False,
) -> "Summary":
    """Score a file as `sentcli score` scores each input of a folder: the same bytes, wherever it runs.

    The same call again continues a stopped output, and skips and counts a finished one.

    :param source: a file or URL.
    :param target: a file in an existing folder, or a URL.
    :param name: what rejects and records call the input; None: `source`. Machines that have the file under
        different paths give one name.
    :param scorer: what `load` returns; None: load the included model for this file.
    :param overwrite: start over, and replace the output if it exists.
    :returns: the counts; `skipped` is 1 if the output was finished before.
    :raises SentcliError: as `sentcli score` does; a LockedError if another process is writing the output.
    """
    from sentcli.files.sink import Target
    from sentcli.runs.job import JobOptions, score_output
    from sentcli.runs.summary import Progress
    from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

    read, write, rejects = read or ReadOptions(), write or WriteOptions(), rejects or RejectOptions()
    options = JobOptions(read, write, rejects, overwrite, in_folder=True)
    with nullcontext(scorer) if scorer else load() as model:
        return score_output(model, [str(source)], Target(target), options, Progress(), name=name)
