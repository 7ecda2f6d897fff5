"""Where the command `crowdcount` and `python -m crowdcount` begin."""

import os
import signal
import sys


def run() -> int:
    """Run the command line as a process of its own; returns the exit status, see `crowdcount.cli.main`."""
    signal.signal(signal.SIGINT, _stop)
    from crowdcount.cli import main

    return main()


def _stop(*_) -> None:
    """End at once, while libraries are imported: some take a KeyboardInterrupt for a failure of their own.

    The commands put Python's own way back before they begin their work.
    """
    os.write(2, b"crowdcount: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(run())
