"""`python -m modelaudit`."""

import sys

if __name__ == "__main__":
    # The current directory is first on the path, and may be the audited one: a click.py in it would
    # run in place of the package.
    if not sys.flags.safe_path:
        del sys.path[0]

    from modelaudit.cli import main

    main()
