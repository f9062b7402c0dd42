"""What can be typed: the commands, their options, and the help.

Defaults are read from where they hold. May import the lighter part of the standard library, and
`ontogeny.config` where the options of a training are wanted: `ontogeny --help` is there at once.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import ontogeny

DESCRIPTION = (
    "Watch a deep network grow up: train it, record its development, and see how it comes to\n"
    "classify its exemplars."
)

EPILOG = """\
first steps
  ontogeny run                            the built-in task: five drawn faces, 600 exemplars of each
  ontogeny run flowers --density 500      photographs of five kinds of flowers, 500 of each
  ontogeny run my/pictures --size 48      your own folder with one sub-folder for each token
  ontogeny run runs/faces                 go on with a run that was stopped or killed
  ontogeny run faces --resume             the same, or begin the run if there is none
  ontogeny view runs/faces                the page of a run, which grows while the run trains

A run is one folder, runs/NAME unless --out names another. It holds the weights at every snapshot,
the record (an xarray data set), the measures, the pictures, report.html and page.html.
`ontogeny COMMAND --help` explains one command.
"""

TASK_HELP = (
    "the task to learn: faces (built in, the default), flowers (photographs, fetched once), "
    "apples (photographs on a turntable), a folder with one sub-folder for each token, or an .npz "
    "file with the arrays images and token; or the folder of a run to go on with"
)


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line; it sets `command`, the name of the command.

    Parameters
    ----------
    only
        The command whose options are wanted, as others are not read then; None: those of all.
    """
    made = argparse.ArgumentParser(
        "ontogeny",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action=_Version, help="show the version and exit")
    made.add_argument(
        "--print-completion", action=_Completion, choices=SHELLS,
        help="print the script that lets a shell complete commands and options, and exit",
    )  # fmt: skip
    commands = made.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    for name, (words, groups) in _COMMANDS.items():
        added = commands.add_parser(name, help=words, description=f"{_sentence(words)}.")
        for group in groups if only in {None, name} else ():
            group(added)
    return made


def chosen(arguments: Sequence[str]) -> str:
    """Return the command among what was typed, or nothing."""
    return next((word for word in arguments if not word.startswith("-")), "")


# Groups of options, each of which adds itself to the parser of a command -------------------------


def _run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="the folder of a run")


def _report(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "others", nargs="*", metavar="RUN", help="the folders of more runs to compare with it"
    )
    command.add_argument(
        "--out", metavar="HTML",
        help="the file of the report on several runs (default: runs.html beside the first run)",
    )  # fmt: skip


def _export(command: argparse.ArgumentParser) -> None:
    command.add_argument("out", metavar="OUT.html", help="the file to write")


def _biography(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "unit", metavar="UNIT", help="a detector, such as conv5:17, or the name of a token"
    )
    command.add_argument(
        "--out", metavar="FILE",
        help="the file of the figure, .png, .svg or .pdf, or .html with the sentences (default: "
        "figures/biography-UNIT.png in the run's folder)",
    )  # fmt: skip


def _beside(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--beside", metavar="OTHER", help="the folder of another run, or of a twin, to compare with"
    )


_PORT_HELP = (
    "the port to listen on; 0 takes any that is free (default: 8765, or any that is free where "
    "it is taken)"
)


def _serving(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, metavar="P", help=_PORT_HELP)
    command.add_argument(
        "--host", default="127.0.0.1", metavar="H",
        help="the address to listen on (default: %(default)s, this machine only)",
    )  # fmt: skip


def _beside_work(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("page")
    group.add_argument(
        "--serve", action=argparse.BooleanOptionalAction, default=True,
        help="serve the page while the command works (default: yes, unless --quiet)",
    )  # fmt: skip
    group.add_argument(
        "--view", action="store_true",
        help="open the page in the browser, and serve it until Ctrl-C when the run is complete",
    )  # fmt: skip
    group.add_argument("--port", type=int, metavar="P", help=_PORT_HELP)


def _fork(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--at", type=int, required=True, metavar="STEP", help="the step at which the two part"
    )
    command.add_argument("--out", required=True, metavar="DIR", help="the folder of the twin")


def _folders(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folders", nargs="*", metavar="DIR",
        help="a run, or a folder that holds runs (default: runs)",
    )  # fmt: skip


def _output(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("output")
    group.add_argument(
        "--quiet", action="store_true", help="show neither the progress nor the summary"
    )
    group.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def _task(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", nargs="?", default="faces", metavar="TASK", help=TASK_HELP)
    group = command.add_argument_group("task")
    group.add_argument(
        "--density", type=int, metavar="N",
        help="number of training exemplars of each token (default: 600 for faces, and for all "
        "other tasks whatever the probe leaves)",
    )  # fmt: skip
    group.add_argument(
        "--size", type=int, metavar="PX",
        help="side of the square exemplars in pixels (default: 32; arrays keep their own size)",
    )  # fmt: skip
    group.add_argument(
        "--tokens", type=_tokens, metavar="N|A,B",
        help="use the first N tokens, or the tokens with these names (default: all)",
    )  # fmt: skip
    group.add_argument(
        "--probe", type=int, metavar="N",
        help="number of exemplars of each token that are held out of training and shown to every "
        "snapshot (default: 100, or a fifth of the smallest token if that is less)",
    )  # fmt: skip
    group.add_argument(
        "--fit", choices=("crop", "pad"),
        help="make photographs square by cropping or by padding them (default: crop)",
    )  # fmt: skip
    group.add_argument(
        "--group", metavar="REGEX",
        help="keep exemplars whose file names match alike, such as the frames of one video, on "
        "one side of the split between training and probe",
    )  # fmt: skip
    group.add_argument(
        "--holdout", metavar="REGEX",
        help="hold exemplars whose file names match out of training as a second probe, whose "
        "accuracy is recorded (default: none, and for apples the second axis)",
    )  # fmt: skip


def _training(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("run")
    group.add_argument(
        "--out", metavar="DIR", help="the folder of the run (default: runs/ and the task's name)"
    )
    group.add_argument(
        "--resume", action="store_true",
        help="go on with the run in the folder if there is one, and begin it if there is none",
    )  # fmt: skip
    group = command.add_argument_group("training")
    for name, (words, how) in _TRAINING.items():
        _option(group, name, words, **how)


def _quick(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--quick", action="store_true",
        help="make a small run, whole, within about a minute: "
        + ", ".join(f"{value} {words}" for words, value in QUICK_WORDS.items())
        + "; options that are given as well go before these",
    )  # fmt: skip


def _pictures(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--all", action="store_true",
        help="make preferred images of all units (default: of those that serve tokens most)",
    )  # fmt: skip


_TRAINING: dict[str, tuple[str, dict[str, Any]]] = {
    "steps": ("number of updates of the weights", {"type": int, "metavar": "N"}),
    "snapshots": (
        "when to keep the weights: a number of snapshots, which are dense early in training; "
        "every:N for each N-th step; or a list of steps such as 0,5,10",
        {"type": lambda text: _snapshots(text), "metavar": "N"},
    ),
    "seed": (
        "seed of the random numbers that give the first weights, the order of the exemplars, the "
        "probe and the faces",
        {"type": int, "metavar": "S"},
    ),
    "batch": (
        "number of exemplars in one step (default: 50, or all if a small task has fewer)",
        {"type": int, "metavar": "N"},
    ),
    "optimiser": ("rule by which the weights are updated", {"choices": ("adamw", "sgd")}),
    "learning_rate": ("size of an update", {"type": float, "metavar": "R"}),
    "learning_rate_schedule": (
        "keep the learning rate constant, or let it fall to 0 along a cosine",
        {"choices": ("constant", "cosine")},
    ),
    "warmup_steps": (
        "number of steps at the beginning over which the learning rate rises from 0",
        {"type": int, "metavar": "N"},
    ),
    "weight_decay": (
        "rate at which the weights are pulled towards 0", {"type": float, "metavar": "W"},
    ),
    "flips": (
        "mirror each exemplar left to right in half of its presentations (default: photographs "
        "are mirrored, faces and arrays are not)",
        {"action": argparse.BooleanOptionalAction},
    ),
    "precision": (
        "floating-point numbers of the forward and the backward pass",
        {"choices": ("float32", "bfloat16")},
    ),
    "threads": (
        "number of threads that PyTorch computes with, on which the last bits depend (default: "
        "as many as PyTorch chooses)",
        {"type": int, "metavar": "N"},
    ),
}  # fmt: skip
"""The choices of a training that are options, each with its help and how it is read."""

QUICK = {"steps": 150, "snapshots": 15, "probe": 40}
"""Options of a quick run, where they are not given."""
QUICK_WORDS = {
    "steps": QUICK["steps"], "snapshots": QUICK["snapshots"],
    "held-out exemplars of each token": QUICK["probe"],
}  # fmt: skip

TRAINING_OPTIONS = tuple(_TRAINING)
"""Names of `Config` that are options."""
TASK_OPTIONS = ("density", "size", "tokens", "probe", "fit", "seed", "group", "holdout")
"""Names of `load_task` that are options."""


def _option(group: Any, name: str, words: str, **how: Any) -> None:
    """Add an option of the training; the default stands in `Config`, where it has a value."""
    default = getattr(import_module("ontogeny.config").Config, name)
    shown = "" if default is None else f" (default: {default})"
    group.add_argument("--" + name.replace("_", "-"), help=words + shown, **how)


SHELLS = ("bash", "zsh", "tcsh")
_FOLDERS, _FILES = {"RUN", "DIR", "OTHER"}, {"TASK", "HTML", "OUT.html", "FILE"}
"""What a shell completes by folders and by files."""

_Group = Callable[[argparse.ArgumentParser], None]
_COMMANDS: dict[str, tuple[str, tuple[_Group, ...]]] = {
    "run": (
        "train a network, then observe, measure and picture it, and write its report and its page",
        (_task, _training, _quick, _beside_work, _output),
    ),
    "train": (
        "train a network and keep its snapshots, and do nothing else",
        (_task, _training, _output),
    ),
    "observe": (
        "show the probe to each snapshot of a run and write the record", (_run, _output),
    ),
    "measure": (
        "compute the measures of a run's record that are missing or stale", (_run, _output),
    ),
    "pictures": (
        "make the pictures of a run's detectors that are missing or stale",
        (_run, _pictures, _output),
    ),
    "grafts": (
        "put lower layers of some steps of a run under upper layers of others and test them",
        (_run, _output),
    ),
    "report": (
        "write the report of a run, or one report on several runs", (_run, _report, _output),
    ),
    "export": (
        "write the page of a run as one file that opens from disk",
        (_run, _export, _beside, _output),
    ),
    "biography": (
        "tell the life of one detector in a dozen sentences and one figure",
        (_run, _biography, _output),
    ),
    "view": (
        "serve the page of a run, which grows while the run trains",
        (_run, _beside, _serving, _output),
    ),
    "fork": (
        "train a twin of a run that shares the run's history up to a step",
        (_run, _fork, _output),
    ),
    "list": ("list the runs in runs, or in other folders", (_folders, _output)),
    "doctor": ("show what is installed, and what to do about what is missing", (_output,)),
}  # fmt: skip
"""The commands in the order of the help, each with what it does and its groups of options."""


class _Version(argparse.Action):
    """Print the version; it is read only when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str, **how: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, **how)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"ontogeny {ontogeny.__version__}")
        parser.exit()


class _Completion(argparse.Action):
    """Print the script of a shell; what writes it is imported only when it is asked for."""

    def __call__(
        self, given: argparse.ArgumentParser, _: argparse.Namespace, shell: Any, *__: Any
    ) -> None:
        shtab = import_module("shtab")
        whole = parser()
        for each in (whole, *_commands_of(whole).values()):
            for action in each._actions:
                if action.metavar in _FOLDERS:
                    action.complete = shtab.DIRECTORY  # pyright: ignore[reportAttributeAccessIssue]
                elif action.metavar in _FILES:
                    action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]
        print(shtab.complete(whole, shell))
        given.exit()


def _commands_of(whole: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands by name."""
    [found] = [action.choices for action in whole._actions if isinstance(action.choices, dict)]
    return found


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]


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
