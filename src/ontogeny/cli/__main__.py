"""`python -m ontogeny.cli` is the command `ontogeny`."""

import sys

from ontogeny.cli import main

if __name__ == "__main__":
    sys.exit(main())
