"""The tests on every Python that is admitted, with the lowest and with the newest versions: `pip install nox`, `nox`.

nox                          all sessions whose Python is here; the others are skipped
nox -s newest-3.12           one of them
nox -s lowest -- tests/test_density.py -q
"""

import nox

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# The lowest versions have no wheels for later ones.
LOWEST = "3.10"

nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """The newest versions that there are for this Python."""
    session.install(".[test]")
    _test(session)


@nox.session(python=LOWEST)
def lowest(session: nox.Session) -> None:
    """The lowest versions that setup.cfg admits."""
    session.install("-c", "tests/lower-bounds.txt", ".[test]")
    _test(session)


def _test(session: nox.Session) -> None:
    session.run("python", "-c", "import sys; print('Python', sys.version)")
    session.run("pytest", *(session.posargs or ["-q"]))
