"""What a rule is: it looks at findings, and says something or why it is silent.

May import ontogeny.statements.findings and .statement.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ontogeny.statements.findings import Findings
from ontogeny.statements.statement import Statement


@dataclass(frozen=True)
class Said:
    """What a rule says of a run."""

    sentence: str
    """What is seen, in one or two sentences: the report's title and answer, and the page's."""
    statements: tuple[Statement, ...] = ()
    """What of it survives a null, each with effect, interval and null; none where the sentence
    only describes."""


@dataclass(frozen=True)
class Unsaid:
    """Why a rule is silent."""

    sentence: str
    """What is not shown, or not known, and why."""
    is_measured: bool = True
    """Whether what the rule needs was measured at all."""


@dataclass(frozen=True)
class Rule:
    """One claim: by what it is decided, in which words, and where it can be seen."""

    name: str
    about: str
    """What it speaks of, as in "how well ... is not known"."""
    say: Callable[[Findings], Said | Unsaid]
    kinds: tuple[str, ...] = ()
    """Kinds of statements that it makes."""
    figure: str = ""
    """Key of the report's figure in which it can be seen; where empty, its name."""
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What has to be there: a field of `Findings` -> names of its variables."""

    @property
    def seen_in(self) -> str:
        """Key of the report's figure in which it can be seen."""
        return self.figure or self.name

    def __call__(self, findings: Findings) -> Said | Unsaid:
        """Return what the rule says of findings, or why it is silent."""
        for name, variables in self.needs.items():
            data = getattr(findings, name)
            lacking = [v for v in variables if data is None or v not in data]
            if lacking:
                why = findings.why_not(name) if data is None else f"there is no {lacking[0]}"
                about = self.about[:1].upper() + self.about[1:]
                return Unsaid(f"{about} is not known: {why}.", is_measured=False)
        return self.say(findings)
