"""What all tests share: one thread, set before a numerical library is loaded.

Networks and matrices of tests are small: threads gain nothing there, and where a neighbour holds
one of the cores they wait for each other a hundred times longer than they compute.
"""

import os

from ontogeny.companion import POOLS

for name in POOLS:
    os.environ.setdefault(name, "1")
