"""What all tests share: one thread, set before a numerical library is loaded, and no deadline.

Networks and matrices of tests are small: threads gain nothing there, and where a neighbour holds
one of the cores they wait for each other a hundred times longer than they compute. How long an
example takes is a matter of the machine and not of the code: no test is held against the clock.
"""

import os

from hypothesis import settings

from ontogeny.companion import POOLS

settings.register_profile("ontogeny", deadline=None)
settings.load_profile("ontogeny")

for name in POOLS:
    os.environ.setdefault(name, "1")
