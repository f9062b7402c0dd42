"""Statements: what a run's measures support, each claim by one rule that says it or is silent.

A rule looks at findings (record and measures) and returns a sentence, with the statements of it
that survive a null, each with effect, interval and null; or the reason why it is silent. Nothing
is computed here: nulls and intervals are stored measures. The report's titles and answers, its
observations and the page read the same statements. May import numpy, xarray, ontogeny.measure and
below; no torch.
"""

from ontogeny.statements.across import Holding, holding
from ontogeny.statements.findings import Findings
from ontogeny.statements.harvest import (
    FILE,
    RULES,
    findings_of,
    first_sentences,
    harvest,
    harvest_run,
    measured,
    read,
    say_all,
    write,
)
from ontogeny.statements.rule import Rule, Said, Unsaid
from ontogeny.statements.statement import Statement, Where, ranked

__all__ = [
    "FILE",
    "RULES",
    "Findings",
    "Holding",
    "Rule",
    "Said",
    "Statement",
    "Unsaid",
    "Where",
    "findings_of",
    "first_sentences",
    "harvest",
    "harvest_run",
    "holding",
    "measured",
    "ranked",
    "read",
    "say_all",
    "write",
]
