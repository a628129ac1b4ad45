"""Speed, accuracy and memory of ensembles beside MOA's and River's, as `prequential.py` measures them.

The same program with other defaults: ensembles take ten times the time of a tree, or a hundred times.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import prequential
from peers.ensembles import ENSEMBLES

DEFAULTS = {
    "--learners": ",".join(name for name, ensemble in ENSEMBLES.items() if ensemble.n == 10),
    "--peers": "moa,river",
    "--rows": "50000",
    "--river-rows": "2000",
    "--repeat": "2",
}


def main(argv: Sequence[str]) -> None:
    """Run the contest; whatever the command line says counts more than the defaults here."""
    prequential.main([*(word for default in DEFAULTS.items() for word in default), *argv])


if __name__ == "__main__":
    main(sys.argv[1:])
