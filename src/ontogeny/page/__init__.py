"""The page: a run's development cut down to what can be drawn, as one file or served.

May import pillow, numpy, xarray, starlette, ontogeny.report, ontogeny.measure and below; no torch.
"""

import html
import os
from dataclasses import dataclass

from ontogeny.run import RunFolder

__all__ = ["Page", "page"]


@dataclass(frozen=True)
class Page:
    """A page to be shown in a notebook."""

    html: str
    height: int

    def _repr_html_(self) -> str:
        """Return a frame that holds the page; its script can reach nothing outside."""
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts allow-downloads" '
            f'style="width:100%;height:{self.height}px;border:0" title="Ontogeny"></iframe>'
        )


Where = RunFolder | str | os.PathLike[str]


def page(run: Where, *, beside: Where | None = None, height: int = 820) -> Page:
    """Show the page of a run in a notebook.

    Parameters
    ----------
    run
        A run or its folder.
    beside
        Another run, such as a twin, that the page compares this one with; None: no other.
    height
        Of the frame, in pixels.

    Raises
    ------
    RunError
        If there is no run, or the page was not built.
    """
    # Imported here, since a server of the page answers before it has what a bundle is made with.
    from ontogeny.page.bundle import bundle_run
    from ontogeny.page.export import one_file

    return Page(one_file(bundle_run(run, beside=beside)), height)
