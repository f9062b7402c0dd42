"""The command line: parsing, progress and the summary; what is done is done below.

Exit codes: 0 done, 1 a fault of Ontogeny's own (with its traceback), 2 something the user can mend.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

import ontogeny
from ontogeny.errors import OntogenyError

DESCRIPTION = "Watch a deep network grow up: train it, record its development, see what it builds."

EPILOG = """\
first steps
  ontogeny run                            the built-in task: five drawn faces, 600 exemplars of each
  ontogeny run flowers --density 500      photographs of five kinds of flowers, 500 of each
  ontogeny run my/pictures --size 48      your own folder with one sub-folder per token
  ontogeny run runs/faces                 go on with a run that was stopped or killed
  ontogeny run faces --resume             the same, or begin it if there is none
  ontogeny view runs/faces                the page of a run, live while it trains

A run is one folder, runs/NAME unless --out names another: the weights at every snapshot, a record
that xarray opens, measures, and report.html. `ontogeny COMMAND --help` explains one command.
"""

TASK_HELP = (
    "faces (built in, the default), flowers (photographs, fetched once), a folder with one "
    "sub-folder per token, an .npz with the arrays images and token, or a run to go on with"
)

_TASK_OPTIONS = ("density", "size", "tokens", "probe", "fit", "seed")
_CONFIG_OPTIONS = (
    "steps", "batch", "seed", "snapshots", "optimiser", "learning_rate",
    "learning_rate_schedule", "warmup_steps", "weight_decay", "flips", "precision", "threads",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    started = time.perf_counter()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        summary = options.act(options)
    except OntogenyError as error:
        print(f"ontogeny: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ontogeny: stopped; the same command with --resume goes on", file=sys.stderr)
        return 130
    _tell(summary | {"seconds": round(time.perf_counter() - started, 1)}, options)
    return 0


def _interrupt(*_: Any) -> None:
    """Let a polite kill end a run as Ctrl-C does."""
    raise KeyboardInterrupt


# The commands ---------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> dict[str, Any]:
    run = _trained(options, observed=True)
    _observed(run, options)
    _measured(run, options)
    _pictured(run, options)
    return _summary(run) | {"report": _reported(run, options), "page": _exported(run, options)}


def _train(options: argparse.Namespace) -> dict[str, Any]:
    return _summary(_trained(options, observed=False))


def _observe(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.Run.open(options.run)
    _observed(run, options)
    return _summary(run)


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(options.run)
    _measured(run, options)
    return _summary(run)


def _pictures(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.Run.open(options.run)
    _pictured(run, options)
    return _summary(run)


def _report(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(options.run)
    if not options.others:
        return _summary(run) | {"report": _reported(run, options)}
    runs = [options.run, *options.others]
    out = options.out or run.path.parent / "runs.html"
    with _Bar(options, f"report on {len(runs)} runs") as bar:
        path = import_module("ontogeny.report.runs").report_runs(runs, out, progress=bar.say)
    return _summary(run) | {"runs": runs, "report": str(path)}


def _export(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(options.run)
    return _summary(run) | {"page": _exported(run, options, options.out)}


def _view(options: argparse.Namespace) -> dict[str, Any]:
    run = ontogeny.RunFolder.open(options.run)

    def ready(url: str) -> None:
        print(f"ontogeny: {run.path.name} at {url} (Ctrl-C ends it)", file=sys.stderr, flush=True)

    beside = None if options.beside is None else ontogeny.RunFolder.open(options.beside)
    _page_module("serve").view(
        run, beside=beside, host=options.host, port=options.port, ready=ready
    )
    return _summary(run)


def _page_module(name: str) -> Any:
    """Import a part of the page, or say which extra it needs."""
    _ = ontogeny.page
    return import_module(f"ontogeny.page.{name}")


def _fork(options: argparse.Namespace) -> dict[str, Any]:
    parent = ontogeny.Run.open(options.run)
    with _Bar(options, f"replay to step {options.at}"):
        twin = parent.fork(options.at, options.out)
    with _Bar(options, "train the twin", parent.config.steps) as bar:
        twin.resume(progress=bar.row)
    return _summary(twin) | {"parent": str(parent.path), "forked_at": options.at}


# Their stages ---------------------------------------------------------------------------------


def _trained(options: argparse.Namespace, *, observed: bool) -> Any:
    """Begin a run, or go on with one, and train it to its last step."""
    if ontogeny.RunFolder(options.task).began:
        options.out, options.resume, task = options.task, True, None
    else:
        task = _task(options)
        options.out = options.out or str(Path("runs") / Path(task.name).stem)
    config = _config(options)
    watchers = [ontogeny.Observer(options.out)] if observed else []
    with _Bar(options, "train and observe" if observed else "train", config.steps) as bar:
        return ontogeny.train(
            task,
            config=config,
            out=options.out,
            resume=options.resume,
            watchers=watchers,
            progress=bar.row,
        )


def _task(options: argparse.Namespace) -> Any:
    """Load the task that the options name."""
    with _Bar(options, "load exemplars") as bar:
        return ontogeny.load_task(options.task, progress=bar.to, **_given(options, _TASK_OPTIONS))


def _config(options: argparse.Namespace) -> Any:
    """Return the defaults, or the choices of the run to go on with, changed by what was asked."""
    chosen = _given(options, _CONFIG_OPTIONS)
    if options.resume and ontogeny.RunFolder(options.out).began:
        return replace(ontogeny.Run.open(options.out).config, **chosen)
    return ontogeny.Config(**chosen)


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return the options that the user gave, so that each default stands in one place only."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _observed(run: Any, options: argparse.Namespace) -> None:
    with _Bar(options, "observe") as bar:
        ontogeny.observe(run, progress=bar.to)


def _measured(run: Any, options: argparse.Namespace) -> None:
    with _Bar(options, "measure") as bar:
        ontogeny.measure.measure_all(run, progress=bar.say)


def _pictured(run: Any, options: argparse.Namespace) -> None:
    with _Bar(options, "pictures") as bar:
        import_module("ontogeny.features.store").picture_run(run, progress=bar.say)


def _reported(run: Any, options: argparse.Namespace) -> str:
    with _Bar(options, "report") as bar:
        return str(ontogeny.report(run, progress=bar.say))


def _exported(run: Any, options: argparse.Namespace, out: str | None = None) -> str:
    path = run.path / "page.html" if out is None else out
    with _Bar(options, "page"):
        return str(_page_module("export").export(run, path, beside=_beside(options)))


def _beside(options: argparse.Namespace) -> str | None:
    """Return the other run that the page compares with, if one was named."""
    return getattr(options, "beside", None)


# What the user sees ---------------------------------------------------------------------------


class _Bar:
    """One line of progress on standard error, with the time left; nothing when quiet."""

    def __init__(self, options: argparse.Namespace, title: str, total: int | None = None) -> None:
        self._bar = tqdm(total=total, desc=title, disable=options.quiet, leave=True, unit=" steps")
        if total is None:
            self._bar.bar_format = "{desc}: {postfix} [{elapsed}]"

    def row(self, row: Any) -> None:
        """Show a training step."""
        self._bar.set_postfix(loss=f"{row.loss:.3f}", refresh=False)
        self._bar.update(row.step - self._bar.n)

    def to(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if self._bar.total != total:
            self._bar.bar_format, self._bar.unit = None, f" {what}"
            self._bar.reset(total)
        self._bar.update(done - self._bar.n)

    def say(self, words: str) -> None:
        """Show what is being done."""
        self._bar.set_postfix_str(words)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _summary(run: Any) -> dict[str, Any]:
    """Gather what the last lines and `--json` say of a run."""
    description = run.description
    summary = {
        "run": str(run.path),
        "state": run.state,
        "task": description["task"]["name"],
        "tokens": list(description["task"]["tokens"]),
        "parameters": description["parameters"],
        "steps": description["config"]["steps"],
        "snapshots": len(run.steps),
        "chance": 1 / len(description["task"]["tokens"]),
        "files": sorted(str(path) for path in run.path.iterdir() if not path.name.startswith(".")),
    }
    return summary | _probe_accuracy(run)


def _probe_accuracy(run: Any) -> dict[str, Any]:
    """Read the accuracy on the probe off the record, if there is one already."""
    path = run.path / "record.zarr"
    if not path.exists():
        return {"probe_accuracy": None}
    with ontogeny.open_record(path) as record:
        if record.sizes["step"] == 0:
            return {"probe_accuracy": None}
        last = record["accuracy"].sel(split="probe").isel(step=-1)
        return {"probe_accuracy": float(last), "observed_steps": record.sizes["step"]}


def _tell(summary: dict[str, Any], options: argparse.Namespace) -> None:
    """Print the summary: one JSON object, or a few lines."""
    if options.json:
        print(json.dumps(summary))
    elif not options.quiet:
        print("\n".join(_lines(summary)))


def _lines(summary: dict[str, Any]) -> list[str]:
    accuracy, chance = summary["probe_accuracy"], summary["chance"]
    lines = [
        f"{summary['run']}: {summary['task']}, {', '.join(summary['tokens'])}",
        f"  {summary['parameters']:,} parameters, {summary['steps']} steps, "
        f"{summary['snapshots']} snapshots, {summary['seconds']:.0f} s",
    ]
    if accuracy is not None:
        lines.append(f"  accuracy on the probe {accuracy:.1%}, chance {chance:.1%}")
    if "forked_at" in summary:
        lines.append(f"  twin of {summary['parent']} from step {summary['forked_at']}")
    if "report" in summary:
        lines.append(f"  look at {summary['report']}")
    if "page" in summary:
        lines.append(f"  play through {summary['page']}")
    return lines


# The options ----------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "ontogeny", description=DESCRIPTION, epilog=EPILOG, formatter_class=shape
    )
    parser.add_argument("--version", action="version", version=f"ontogeny {ontogeny.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    told = _telling()

    def command(name: str, act: Any, words: str, *parents: argparse.ArgumentParser) -> Any:
        made = commands.add_parser(
            name, help=words, description=f"{words}.", parents=[*parents, told]
        )
        made.set_defaults(act=act)
        return made

    training = [_task_options(), _training_options()]
    command("run", _run, "train, observe, measure, picture, report and export the page", *training)
    command("train", _train, "train a network and keep its snapshots, no more", *training)
    folder = _folder()
    command("observe", _observe, "bring a run's record up to its snapshots", folder)
    command("measure", _measure, "measure a run's record, where it is not fresh", folder)
    command("pictures", _pictures, "make the pictures of a run's detectors", folder)
    report = command("report", _report, "write a run's report.html, or what several share", folder)
    report.add_argument("others", nargs="*", metavar="RUN", help="more runs, to be compared")
    report.add_argument("--out", metavar="HTML", help="the file on several runs (runs.html beside)")
    view = command("view", _view, "serve a run's page, live while it trains", folder)
    export = command("export", _export, "write a run's page as one file", folder)
    export.add_argument("out", metavar="OUT.html", help="the file")
    for paged in (export, view):
        paged.add_argument("--beside", metavar="OTHER", help="a run or twin to compare with")
    view.add_argument("--port", type=int, default=8765, metavar="P", help="port (8765); 0: any")
    view.add_argument("--host", default="127.0.0.1", metavar="H", help="address (127.0.0.1)")
    fork = command("fork", _fork, "train a twin that shares a run's history up to a step", folder)
    fork.add_argument("--at", type=int, required=True, metavar="STEP", help="where they part")
    fork.add_argument("--out", required=True, metavar="DIR", help="the twin's folder")
    return parser


def _telling() -> argparse.ArgumentParser:
    told = argparse.ArgumentParser(add_help=False)
    told.add_argument("--quiet", action="store_true", help="no progress and no summary")
    told.add_argument("--json", action="store_true", help="the summary as one JSON object")
    return told


def _folder() -> argparse.ArgumentParser:
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("run", metavar="RUN", help="the folder of a run")
    return folder


def _task_options() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("task", nargs="?", default="faces", metavar="TASK", help=TASK_HELP)
    group = parent.add_argument_group("task")
    group.add_argument("--density", type=int, metavar="N", help="training exemplars per token")
    group.add_argument("--size", type=int, metavar="PX", help="side of the exemplars (32)")
    group.add_argument(
        "--tokens", type=_tokens, metavar="N|A,B", help="the first N tokens, or these by name"
    )
    group.add_argument(
        "--probe", type=int, metavar="N", help="held-out exemplars per token to observe (100)"
    )
    group.add_argument(
        "--fit", choices=("crop", "pad"), help="how photographs are made square (crop)"
    )
    return parent


def _training_options() -> argparse.ArgumentParser:
    defaults = {field.name: field.default for field in fields(ontogeny.Config)}
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_argument_group("run")
    group.add_argument("--out", metavar="DIR", help="the run's folder (runs/NAME of the task)")
    group.add_argument(
        "--resume", action="store_true", help="go on with the run in --out, if there is one"
    )
    group = parent.add_argument_group("training")

    def option(name: str, words: str, **how: Any) -> None:
        flag = "--" + name.replace("_", "-")
        group.add_argument(flag, help=f"{words} ({defaults[name]})", **how)

    option("steps", "optimiser updates", type=int, metavar="N")
    option("snapshots", "a count, every:N, or steps as 0,5,10", type=_snapshots, metavar="N")
    option("seed", "of weights, order of exemplars, splits and faces", type=int, metavar="S")
    option(
        "batch", "exemplars per step; None: 50, or all if there are fewer", type=int, metavar="N"
    )
    option("optimiser", "how weights are updated", choices=("adamw", "sgd"))
    option("learning_rate", "size of an update", type=float, metavar="R")
    option("learning_rate_schedule", "its course", choices=("constant", "cosine"))
    option("warmup_steps", "steps over which it rises", type=int, metavar="N")
    option("weight_decay", "pull of the weights towards 0", type=float, metavar="W")
    option("flips", "mirror exemplars at random", action=argparse.BooleanOptionalAction)
    option("precision", "of forward and backward pass", choices=("float32", "bfloat16"))
    option("threads", "of torch; None: as many as there are", type=int, metavar="N")
    return parent


def _tokens(text: str) -> int | list[str]:
    return int(text) if text.isdigit() else text.split(",")


def _snapshots(text: str) -> int | str | list[int]:
    if text.isdigit():
        return int(text)
    if text.startswith("every:"):
        return text
    try:
        return [int(step) for step in text.split(",")]
    except ValueError as error:
        msg = f'expected a count, every:N or steps like 0,5,10, got "{text}"'
        raise argparse.ArgumentTypeError(msg) from error


if __name__ == "__main__":
    sys.exit(main())
