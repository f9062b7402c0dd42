"""Run `ontogeny` as if modules were not installed: `python without.py torch,numpy COMMAND ...`."""

import sys

from ontogeny.cli import main


class Without:
    """A finder of modules that does not find some."""

    def __init__(self, finder, absent):
        self.finder, self.absent = finder, absent

    def find_spec(self, name, path=None, target=None):
        return None if name in self.absent else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


if __name__ == "__main__":
    hidden = set(sys.argv.pop(1).split(","))
    sys.meta_path[:] = [Without(finder, hidden) for finder in sys.meta_path]
    sys.exit(main())
