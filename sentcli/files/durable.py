"""What was written and renamed is to outlive a crash of the machine."""

import errno
import os
from pathlib import Path


def sync(path: Path) -> None:
    """Make a file durable, or the names in a folder where the file system can do that.

    :raises OSError: when the system does not say that it is.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what Linux says where a file system has none for folders
            raise
    finally:
        os.close(descriptor)
