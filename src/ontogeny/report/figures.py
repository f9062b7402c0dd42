"""What the report's figures are made of, and what a figure is.

May import matplotlib, xarray, ontogeny.run and ontogeny.statements.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import xarray as xr
from matplotlib.figure import Figure

from ontogeny.errors import InputError
from ontogeny.run import RunFolder
from ontogeny.statements import Findings, Said, Unsaid, say_all

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Material:
    """What figures are made of."""

    run: RunFolder
    findings: Findings

    @property
    def record(self) -> xr.Dataset:
        """The run's record."""
        return self.findings.record

    @property
    def measures(self) -> xr.Dataset:
        """Curves, token signals and onsets."""
        return self._there("measures")

    @property
    def structure(self) -> xr.Dataset:
        """Category structure."""
        return self._there("structure")

    @property
    def detectors(self) -> xr.Dataset:
        """Tuning and lives of units."""
        return self._there("detectors")

    @property
    def graph(self) -> xr.Dataset:
        """The coupling graph over steps."""
        return self._there("graph")

    @property
    def gains(self) -> xr.Dataset:
        """What units add to what they are given."""
        return self._there("gains")

    def _there(self, name: str) -> xr.Dataset:
        data = getattr(self.findings, name)
        if data is None:
            raise InputError(self.findings.why_not(name))
        return data

    @cached_property
    def said(self) -> dict[str, Said | Unsaid]:
        """What each rule says of the run, by the rules' names."""
        return say_all(self.findings)

    @property
    def tokens(self) -> list[str]:
        """Names of the tokens."""
        return self.findings.tokens

    def once(self, name: str, make: Callable[[], Kept]) -> Kept:
        """Return what several figures are made of, made for the first of them."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    @cached_property
    def _kept(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Section:
    """One figure as it is shown."""

    key: str
    title: str
    """What is seen: the sentence of the rule of that name, where there is one."""
    figure: Figure
    seen: str
    """What is seen, in full; a line is a paragraph."""
    definition: str
    null: str


@dataclass(frozen=True)
class Shown:
    """A row of the report's table of figures."""

    key: str
    chapter: str
    name: str
    """What is not shown where it cannot be drawn."""
    draw: Callable[[Material], Section]
