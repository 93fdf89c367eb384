"""Tables of any size: readers and writers of each format, and the job that loses nothing between them."""

from sentcli.tables.formats import FORMATS
from sentcli.tables.job import Job
from sentcli.tables.opening import open_job
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.plan import plan_outputs

__all__ = [
    "FORMATS",
    "Job",
    "ReadOptions",
    "RejectOptions",
    "WriteOptions",
    "open_job",
    "plan_outputs",
]
