"""The commands and their stages: each command calls what does the work, and gathers a summary.

What needs an extra is imported by the command that needs it, after `NEEDS` was looked at.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import ontogeny
from ontogeny.cli import doctor, listing
from ontogeny.cli.output import run_lines, summary, tell
from ontogeny.cli.parser import QUICK, TASK_OPTIONS, TRAINING_OPTIONS
from ontogeny.cli.stages import TrainingCost, Work, note_costs, uninterrupted
from ontogeny.companion import cores
from ontogeny.extras import require

NEEDS: dict[str, tuple[str, ...]] = {
    "run": ("train", "plot", "page"),
    "train": ("train",),
    "fork": ("train",),
    "observe": ("train",),
    "measure": (),
    "pictures": ("train",),
    "grafts": ("train",),
    "report": ("plot",),
    "export": ("plot", "page"),
    "biography": ("train", "plot"),
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
    with _served(options) as options.page:
        work = Work(options)
        gathered = COMMANDS[options.command](work)
        tell(gathered | work.costs(), options, LINES.get(options.command, run_lines))
        if options.page is not None and options.view:
            print(f"ontogeny: the page stays at {options.page.url} until Ctrl-C", file=sys.stderr)
            options.page.stay()


def _served(options: argparse.Namespace) -> AbstractContextManager[Any]:
    """Serve the page of a run beside the command that makes it, and say where; or do not."""
    if options.command != "run" or not options.serve or (options.quiet and not options.view):
        return nullcontext()
    page = _page_module("side").Side(port=options.port, is_opened=options.view)
    print(f"ontogeny: the page is at {page.url} while this works", file=sys.stderr, flush=True)
    return page


# The commands ---------------------------------------------------------------------------------


def _run(work: Work) -> dict[str, Any]:
    options = work.options
    if options.quick:
        missing = {n: value for n, value in QUICK.items() if getattr(options, n) is None}
        vars(options).update(missing)
    run = _trained_and_observed(work)
    if options.quick:
        with run.writing():
            run.amend(quick=True)
    _observed(work, run)
    _measured(work, run)
    _pictured(work, run)
    written = {"report": _reported(work, run), "page": _exported(work, run)}
    return _noted(work, run) | written


def _train(work: Work) -> dict[str, Any]:
    return _noted(work, _trained(work))


def _observe(work: Work) -> dict[str, Any]:
    run = ontogeny.Run.open(work.options.run)
    _observed(work, run)
    return _noted(work, run)


def _measure(work: Work) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(work.options.run)
    _measured(work, run)
    return _noted(work, run)


def _pictures(work: Work) -> dict[str, Any]:
    run = ontogeny.Run.open(work.options.run)
    _pictured(work, run, every_unit=work.options.all)
    return _noted(work, run)


def _grafts(work: Work) -> dict[str, Any]:
    run = ontogeny.Run.open(work.options.run)
    with work.stage("grafts") as bar:
        ontogeny.grafts(run, progress=bar)
    return _noted(work, run)


def _report(work: Work) -> dict[str, Any]:
    options, run = work.options, ontogeny.RunFolder.open(work.options.run)
    if not options.others:
        report = _reported(work, run)
        return _noted(work, run) | {"report": report}
    runs = [options.run, *options.others]
    out = options.out or run.path.parent / "runs.html"
    with work.stage("report", f"report on {len(runs)} runs") as bar:
        path = import_module("ontogeny.report.runs").report_runs(runs, out, progress=bar)
    return summary(run) | {"runs": runs, "report": str(path)}


def _export(work: Work) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(work.options.run)
    page = _exported(work, run, work.options.out)
    return summary(run) | {"page": page}


def _biography(work: Work) -> dict[str, Any]:
    options, run = work.options, ontogeny.Run.open(work.options.run)
    with work.stage("biography") as bar:
        told = ontogeny.biography(run, options.unit, progress=bar)
        figure = told.save(options.out or _figure_of(run, told.name))
    return {"run": str(run.path), **told.to_dict(), "figure": str(figure)}


def _figure_of(run: Any, unit: str) -> Path:
    """Return where the figure of a life is put: a file's name cannot hold a colon everywhere."""
    return run.path / "figures" / f"biography-{re.sub(r'[^0-9A-Za-z]+', '-', unit)}.png"


def _life_lines(gathered: dict[str, Any]) -> list[str]:
    """Put a life into sentences, one a line, and say where the figure is."""
    return [*gathered["sentences"], f"look at {gathered['figure']}"]


def _view(work: Work) -> dict[str, Any]:
    options, run = work.options, ontogeny.RunFolder.open(work.options.run)

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


def _fork(work: Work) -> dict[str, Any]:
    options, parent = work.options, ontogeny.Run.open(work.options.run)
    with work.stage("replay", f"replay to step {options.at}"):
        twin = parent.fork(options.at, options.out)
    with work.stage("train", "train the twin") as bar:
        twin.resume(progress=TrainingCost(parent.config.snapshot_steps, bar))
    return _noted(work, twin) | {"parent": str(parent.path), "forked_at": options.at}


COMMANDS: dict[str, Callable[[Work], dict[str, Any]]] = {
    "run": _run,
    "train": _train,
    "fork": _fork,
    "observe": _observe,
    "measure": _measure,
    "pictures": _pictures,
    "grafts": _grafts,
    "report": _report,
    "export": _export,
    "biography": _biography,
    "view": _view,
    "list": lambda work: {"runs": listing.runs_in(work.options.folders)},
    "doctor": lambda _: doctor.examine(),
}
"""What does each command; it returns the summary."""

LINES = {"list": listing.lines, "doctor": doctor.lines, "biography": _life_lines}
"""What words a summary that is not that of a run."""


# Their stages ---------------------------------------------------------------------------------


def _noted(work: Work, run: Any) -> dict[str, Any]:
    """Keep in the run what its stages have cost, and return its summary."""
    note_costs(run, work.stages)
    return summary(run)


def _trained(work: Work) -> Any:
    """Begin a run, or go on with one, and train it to its last step."""
    task, config = _begun(work)
    return _train_to_end(work, task, config)


def _trained_and_observed(work: Work) -> Any:
    """Train as `_trained` does while another process observes; each has half of the cores.

    Two processes that need not wait for each other use two cores better than two threads do, and
    are not slowed by a neighbour on one of them, as threads are that wait for each other.
    """
    task, config = _begun(work)
    if config.threads is None:
        config = replace(config, threads=max(1, cores() // 2))
    with import_module("ontogeny.observe").following(work.options.out) as companion:
        run = _train_to_end(work, task, config)
        with work.stage("observe") as bar, suppress(ChildProcessError):
            for event in companion.events():
                bar("snapshots", event["done"], event["total"])
            companion.end()  # from here on its processor time is known
    return run


def _begun(work: Work) -> tuple[Any, Any]:
    """Return the task (None where a run goes on) and the config; settle `out` and `resume`."""
    options, task = work.options, None
    if ontogeny.RunFolder(options.task).began:
        options.out, options.resume = options.task, True
        _show(options)
    else:
        task = _task(work)
        options.out = options.out or str(Path("runs") / Path(task.name).stem)
    config = _config(options)
    _show(options)
    return task, config


def _train_to_end(work: Work, task: Any, config: Any) -> Any:
    options = work.options
    with work.stage("train") as bar:
        return ontogeny.train(
            task,
            config=config,
            out=options.out,
            resume=options.resume,
            progress=TrainingCost(config.snapshot_steps, bar),
        )


def _show(options: argparse.Namespace) -> None:
    """Let the page that is served beside this command show the run."""
    if options.page is not None:
        options.page.show(options.out)


def _task(work: Work) -> Any:
    """Load the task that the options name."""
    options = work.options
    with work.stage("load", "load exemplars") as bar:
        return ontogeny.load_task(options.task, progress=bar, **_given(options, TASK_OPTIONS))


def _config(options: argparse.Namespace) -> Any:
    """Return the defaults, or the choices of the run to go on with, changed by what was asked."""
    chosen = _given(options, TRAINING_OPTIONS)
    if options.resume and ontogeny.RunFolder(options.out).began:
        return replace(ontogeny.Run.open(options.out).config, **chosen)
    return ontogeny.Config(**chosen)


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return the options that the user gave, so that each default stands in one place only."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _observed(work: Work, run: Any) -> None:
    with work.stage("observe") as bar:
        ontogeny.observe(run, progress=bar)


def _measured(work: Work, run: Any) -> None:
    with work.stage("measure") as bar:
        ontogeny.measure.measure_all(run, progress=bar)


def _pictured(work: Work, run: Any, *, every_unit: bool = False) -> None:
    store = import_module("ontogeny.pictures.store")
    choice = store.Choice(pictured=None) if every_unit else store.Choice()
    with work.stage("pictures") as bar:
        store.picture_run(run, choice=choice, progress=bar)


def _reported(work: Work, run: Any) -> str:
    with uninterrupted():
        report = ontogeny.report
    with work.stage("report") as bar:
        return str(report(run, progress=bar))


def _exported(work: Work, run: Any, out: str | None = None) -> str:
    path = run.path / "page.html" if out is None else out
    beside = getattr(work.options, "beside", None)
    with work.stage("page"):
        return str(_page_module("export").export(run, path, beside=beside))
