"""Things to tell apart, and very many exemplars of each."""

from ontogeny.tasks.catalogue import load_task
from ontogeny.tasks.task import SPLITS, Task

__all__ = ["SPLITS", "Task", "load_task"]
