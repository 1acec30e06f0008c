"""`python -m modelaudit`."""

from __future__ import annotations

from modelaudit.cli import main

if __name__ == "__main__":
    main()
