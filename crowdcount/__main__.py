"""Where the command `crowdcount` and `python -m crowdcount` begin."""

import os
import signal
import sys
import threading


def run() -> int:
    """Run the command line as a process of its own; returns the exit status, see `crowdcount.cli.main`."""
    signal.signal(signal.SIGINT, _stop)
    from crowdcount.cli import main

    status = main()
    if any(thread.name.startswith("crowdcount") for thread in threading.enumerate()):
        # A page was ended while it counts. Python would wait for that, minutes for a large picture; nothing is written.
        os._exit(status)
    return status


def _stop(*_) -> None:
    """End at once, while libraries are imported: some take a KeyboardInterrupt for a failure of their own.

    The commands put Python's own way back before they begin their work.
    """
    os.write(2, b"crowdcount: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(run())
