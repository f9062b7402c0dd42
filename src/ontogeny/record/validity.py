"""Whether a dataset is a record: all faults at once.

May import numpy, xarray, errors and the record's definitions.
"""

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.record.definitions import (
    ATTRIBUTES,
    COUPLING,
    FACTOR,
    SCHEMA,
    SOURCE,
    STEP,
    TARGET,
    UNIT,
    VARIABLES,
    definition,
)


def validate(record: xr.Dataset) -> None:
    """Check a dataset against the record's schema.

    Raises
    ------
    InputError
        If anything does not fit; the message lists all that does not.

    Examples
    --------
    A record passes; one that lacks what its schema asks for does not:

    >>> from ontogeny.record import validate
    >>> validate(record)
    >>> try:
    ...     validate(record.drop_vars("weights_hash"))
    ... except ont.InputError:
    ...     print("refused")
    ...
    refused
    """
    faults = _faults(record)
    if faults:
        msg = (
            f"expected a record of schema {SCHEMA} or lower, got {'; '.join(faults)}: "
            "correct all of these"
        )
        raise InputError(msg)


def _faults(record: xr.Dataset) -> list[str]:
    faults = [f"no attribute {name}" for name in ATTRIBUTES if name not in record.attrs]
    schema = record.attrs.get("schema", SCHEMA)
    if not isinstance(schema, int) or not 1 <= schema <= SCHEMA:
        faults.append(f"schema {schema}")
    required = (name for name, v in VARIABLES.items() if v.is_required)
    faults += [f"no {name}" for name in required if name not in record.variables]
    for name in map(str, record.variables):
        if name in VARIABLES or name.startswith(FACTOR):
            faults += _variable_faults(name, record)
        else:
            faults.append(f"unknown variable {name}")
    if COUPLING in record and not {SOURCE, TARGET} <= set(record.coords):
        faults.append("coupling without source and target")
    if STEP in record and np.any(np.diff(record[STEP].values) <= 0):
        faults.append("steps that do not ascend")
    if (
        UNIT in record
        and len(np.unique(record[UNIT].values.astype(object).astype(str))) < record.sizes[UNIT]
    ):
        faults.append("units that share a name")
    return faults


def _variable_faults(name: str, record: xr.Dataset) -> list[str]:
    expected, variable = definition(name), record.variables[name]
    faults = []
    if variable.dims != expected.dims:
        faults.append(f"{name} over {variable.dims}, not {expected.dims}")
    kinds = {"": "UOTiufb", "string": "UOT"}.get(expected.dtype) or np.dtype(expected.dtype).kind
    if variable.dtype.kind not in kinds:
        faults.append(f"{name} of {variable.dtype}, not {expected.dtype}")
    if (name in record.coords) != expected.is_coordinate:
        role = "a coordinate" if expected.is_coordinate else "a variable"
        faults.append(f"{name} that is not {role}")
    faults += [
        f"{name} without {key}" for key in ("units", "long_name") if key not in variable.attrs
    ]
    return faults
