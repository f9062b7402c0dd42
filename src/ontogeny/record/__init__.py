"""The record: one labelled dataset of a development, on disk while it grows.

It is a zarr v3 group that xarray reads. The group's own zarr.json holds the metadata of all arrays
(consolidated), and replacing that one file is what commits a step: data are written first, behind
the committed length, and whatever a killed writer left there is overwritten by the next. So a
reader sees whole steps only, each once, in order. May import files and errors; no torch.
"""

from ontogeny.record.definitions import *  # noqa: F403 - the names of the record are the package's
from ontogeny.record.reader import IDENTITY as IDENTITY
from ontogeny.record.reader import find_record as find_record
from ontogeny.record.reader import identity as identity
from ontogeny.record.reader import open_record as open_record
from ontogeny.record.validity import validate as validate
from ontogeny.record.writer import RecordWriter as RecordWriter
