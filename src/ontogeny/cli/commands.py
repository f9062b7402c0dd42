"""The commands and their stages: each command calls what does the work, and gathers a summary.

What needs an extra is imported by the command that needs it, after `NEEDS` was looked at.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import ontogeny
from ontogeny.cli import doctor, listing
from ontogeny.cli.output import Bar, run_lines, summary, tell
from ontogeny.cli.parser import QUICK, TASK_OPTIONS, TRAINING_OPTIONS
from ontogeny.companion import cores
from ontogeny.extras import require

NEEDS: dict[str, tuple[str, ...]] = {
    "run": ("train", "plot", "page"),
    "train": ("train",),
    "fork": ("train",),
    "observe": ("train",),
    "measure": (),
    "pictures": ("train",),
    "report": ("plot",),
    "export": ("plot", "page"),
    "view": ("plot", "page"),
    "list": (),
    "doctor": (),
}
"""The extras without which a command cannot end well; it does not begin without them."""


def perform(options: argparse.Namespace) -> None:
    """Do what one command asks for and print its summary.

    Raises
    ------
    OntogenyError
        If there is something that the user can mend.
    """
    require(f"ontogeny {options.command}", NEEDS[options.command])
    started = time.perf_counter()
    gathered = COMMANDS[options.command](options)
    gathered["seconds"] = round(time.perf_counter() - started, 1)
    tell(gathered, options, LINES.get(options.command, run_lines))


# The commands ---------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> dict[str, Any]:
    if options.quick:
        missing = {n: value for n, value in QUICK.items() if getattr(options, n) is None}
        vars(options).update(missing)
    run = _trained_and_observed(options)
    if options.quick:
        with run.writing():
            run.amend(quick=True)
    _observed(run, options)
    _measured(run, options)
    _pictured(run, options)
    return summary(run) | {"report": _reported(run, options), "page": _exported(run, options)}


def _train(options: argparse.Namespace) -> dict[str, Any]:
    return summary(_trained(options))


def _observe(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.Run.open(options.run)
    _observed(run, options)
    return summary(run)


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(options.run)
    _measured(run, options)
    return summary(run)


def _pictures(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.Run.open(options.run)
    _pictured(run, options, every_unit=options.all)
    return summary(run)


def _report(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(options.run)
    if not options.others:
        return summary(run) | {"report": _reported(run, options)}
    runs = [options.run, *options.others]
    out = options.out or run.path.parent / "runs.html"
    with Bar(options, f"report on {len(runs)} runs") as bar:
        path = import_module("ontogeny.report.runs").report_runs(runs, out, progress=bar.say)
    return summary(run) | {"runs": runs, "report": str(path)}


def _export(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(options.run)
    return summary(run) | {"page": _exported(run, options, options.out)}


def _view(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(options.run)

    def ready(url: str) -> None:
        print(f"ontogeny: {run.path.name} at {url} (Ctrl-C ends it)", file=sys.stderr, flush=True)

    beside = None if options.beside is None else ontogeny.RunFolder.open(options.beside)
    _page_module("serve").view(
        run, beside=beside, host=options.host, port=options.port, ready=ready
    )
    return summary(run)


def _page_module(name: str) -> Any:
    """Import a part of the page, or say which extra it needs."""
    _ = ontogeny.page
    return import_module(f"ontogeny.page.{name}")


def _fork(options: argparse.Namespace) -> dict[str, Any]:
    parent = ontogeny.Run.open(options.run)
    with Bar(options, f"replay to step {options.at}"):
        twin = parent.fork(options.at, options.out)
    with Bar(options, "train the twin", parent.config.steps) as bar:
        twin.resume(progress=bar.row)
    return summary(twin) | {"parent": str(parent.path), "forked_at": options.at}


COMMANDS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "run": _run,
    "train": _train,
    "fork": _fork,
    "observe": _observe,
    "measure": _measure,
    "pictures": _pictures,
    "report": _report,
    "export": _export,
    "view": _view,
    "list": lambda options: {"runs": listing.runs_in(options.folders)},
    "doctor": lambda _: doctor.examine(),
}
"""What does each command; it returns the summary."""

LINES = {"list": listing.lines, "doctor": doctor.lines}
"""What words a summary that is not that of a run."""


# Their stages ---------------------------------------------------------------------------------


def _trained(options: argparse.Namespace) -> Any:
    """Begin a run, or go on with one, and train it to its last step."""
    task, config = _begun(options)
    return _train_to_end(options, task, config)


def _trained_and_observed(options: argparse.Namespace) -> Any:
    """Train as `_trained` does while another process observes; each has half of the cores.

    Two processes that need not wait for each other use two cores better than two threads do, and
    are not slowed by a neighbour on one of them, as threads are that wait for each other.
    """
    task, config = _begun(options)
    if config.threads is None:
        config = replace(config, threads=max(1, cores() // 2))
    with import_module("ontogeny.observe").following(options.out) as companion:
        run = _train_to_end(options, task, config)
        with Bar(options, "observe") as bar, suppress(ChildProcessError):
            for event in companion.events():
                bar.to("snapshots", event["done"], event["total"])
    return run


def _begun(options: argparse.Namespace) -> tuple[Any, Any]:
    """Return the task (None where a run goes on) and the config; settle `out` and `resume`."""
    task = None
    if ontogeny.RunFolder(options.task).began:
        options.out, options.resume = options.task, True
    else:
        task = _task(options)
        options.out = options.out or str(Path("runs") / Path(task.name).stem)
    return task, _config(options)


def _train_to_end(options: argparse.Namespace, task: Any, config: Any) -> Any:
    with Bar(options, "train", config.steps) as bar:
        return ontogeny.train(
            task, config=config, out=options.out, resume=options.resume, progress=bar.row
        )


def _task(options: argparse.Namespace) -> Any:
    """Load the task that the options name."""
    with Bar(options, "load exemplars") as bar:
        return ontogeny.load_task(options.task, progress=bar.to, **_given(options, TASK_OPTIONS))


def _config(options: argparse.Namespace) -> Any:
    """Return the defaults, or the choices of the run to go on with, changed by what was asked."""
    chosen = _given(options, TRAINING_OPTIONS)
    if options.resume and ontogeny.RunFolder(options.out).began:
        return replace(ontogeny.Run.open(options.out).config, **chosen)
    return ontogeny.Config(**chosen)


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return the options that the user gave, so that each default stands in one place only."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _observed(run: Any, options: argparse.Namespace) -> None:
    with Bar(options, "observe") as bar:
        ontogeny.observe(run, progress=bar.to)


def _measured(run: Any, options: argparse.Namespace) -> None:
    with Bar(options, "measure") as bar:
        ontogeny.measure.measure_all(run, progress=bar.say)


def _pictured(run: Any, options: argparse.Namespace, *, every_unit: bool = False) -> None:
    store = import_module("ontogeny.features.store")
    choice = store.Choice(pictured=None) if every_unit else store.Choice()
    with Bar(options, "pictures") as bar:
        store.picture_run(run, choice=choice, progress=bar.say)


def _reported(run: Any, options: argparse.Namespace) -> str:
    with Bar(options, "report") as bar:
        return str(ontogeny.report(run, progress=bar.say))


def _exported(run: Any, options: argparse.Namespace, out: str | None = None) -> str:
    path = run.path / "page.html" if out is None else out
    with Bar(options, "page"):
        return str(_page_module("export").export(run, path, beside=_beside(options)))


def _beside(options: argparse.Namespace) -> str | None:
    """Return the other run that the page compares with, if one was named."""
    return getattr(options, "beside", None)
