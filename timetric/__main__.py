"""``python -m timetric``: the same as the command ``timetric``."""

from __future__ import annotations

import sys

from timetric.cli import main

if __name__ == "__main__":
    sys.exit(main())
