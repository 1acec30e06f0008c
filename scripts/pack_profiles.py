"""Puts collected profiles into the package.

    python scripts/pack_profiles.py PROFILE.json.gz…

A profile replaces the one of the same versions; the others stay.
"""

from __future__ import annotations

import sys
from pathlib import Path

from modelaudit.runtimes import shipped
from modelaudit.runtimes.profile import read_profile


def main(paths: list[str]) -> None:
    """Write the file of the package again, with these profiles."""
    known = {name: shipped.document(name) for name in shipped.names()}
    for each in map(read_profile, map(Path, paths)):
        known[each.stem] = each.data
    shipped.FILE.write_bytes(shipped.pack(dict(sorted(known.items()))))


if __name__ == "__main__":
    main(sys.argv[1:])
