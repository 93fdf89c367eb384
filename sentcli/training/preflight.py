"""What is refused before hours are spent, because it would fail at their end."""

import logging
from pathlib import Path

from sentcli.errors import OutputError, UsageError
from sentcli.model.bilstm import choose_device
from sentcli.model.bundle import check_target, check_writable
from sentcli.training.corpus import DataSource
from sentcli.training.glove import check_source
from sentcli.training.settings import NO_VECTORS, Settings
from sentcli.training.step import check_precision
from sentcli.training.workdir import work_folder

_log = logging.getLogger("sentcli")


def check_run(source: DataSource, output: Path, settings: Settings, *, resume: bool, overwrite: bool) -> None:
    """Refuse, before hours are spent, what would fail at their end.

    :raises SentcliError: for vectors, a device, a precision or an output that will not do.
    """
    _check_output(output, work_folder(output), resume=resume, overwrite=overwrite)
    if source.glove != NO_VECTORS:
        check_source(source.glove, settings.model.embedding_dim)
    check_precision(settings.config, choose_device(settings.device))


def _check_output(output: Path, work: Path, *, resume: bool, overwrite: bool) -> None:
    if resume and work.exists() and output.exists() and not overwrite:
        raise OutputError(
            f"{output} exists: --overwrite goes on and replaces it; if it is what the interrupted run wrote "
            f"before it was killed, delete {work} instead"
        )
    check_target(output, overwrite=overwrite)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output.parent}: the folder cannot be made: {error.strerror}") from None
    check_writable(output.parent)
    if resume and not work.exists():
        _log.warning("%s: no interrupted run; starting over", work)
    if not resume and work.exists():
        raise UsageError(
            f"{work} is left from an interrupted run: --resume goes on, or delete it to start again"
        )
