"""Observations: statements that a run's measures support, each with effect, interval and null.

A statement that does not survive its null is not made. May import numpy, scipy, xarray,
ontogeny.measure and below; no torch.
"""

from ontogeny.statements.across import Holding, holding
from ontogeny.statements.findings import Findings
from ontogeny.statements.harvest import FILE, harvest, harvest_run, read
from ontogeny.statements.statement import Statement, Where, ranked

__all__ = [
    "FILE",
    "Findings",
    "Holding",
    "Statement",
    "Where",
    "harvest",
    "harvest_run",
    "holding",
    "ranked",
    "read",
]
