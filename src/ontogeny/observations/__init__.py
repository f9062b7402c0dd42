"""Observations: statements that a run's measures support, each with effect, interval and null.

A statement that does not survive its null is not made. May import numpy, scipy, xarray,
ontogeny.measure and below; no torch.
"""

from ontogeny.observations.across import Holding, holding
from ontogeny.observations.findings import Findings
from ontogeny.observations.harvest import FILE, harvest, observations_run, read
from ontogeny.observations.observation import Observation, Where, ranked

__all__ = [
    "FILE",
    "Findings",
    "Holding",
    "Observation",
    "Where",
    "harvest",
    "holding",
    "observations_run",
    "ranked",
    "read",
]
