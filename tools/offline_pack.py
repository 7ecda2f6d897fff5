"""A pack for a room without network: wheels, pages, slides and notebooks in one folder.

    python -m tools.offline_pack
    python -m tools.offline_pack --platform win_amd64 --python-version 3.12

Without options the wheels are for the machine and the Python that run the command; with them, for others. The folder,
build/pack, goes on a stick; README.txt in it says how to install from it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from crowdcount.errors import CrowdCountError
from tools.anew import begin_anew
from tools.repository import NOTEBOOKS, ROOT
from tools.site.build import build
from tools.slides.__main__ import write_slides

OUT = ROOT / "build" / "pack"
_PARTS = ("wheels", "pages", "slides", "notebooks", "README.txt")
_BESIDE = ("glossary.md", "notation.md")  # what the notebooks lead to
_WANTED = "crowdcount-csrnet[notebooks]"
_README = f"""\
The course of crowdcount, without network.

Read:    open pages/index.html in a browser. Slides: slides/*.html
Install: python3 -m venv .venv         (Windows: py -m venv .venv)
         . .venv/bin/activate          (Windows: .venv\\Scripts\\activate)
         pip install --no-index --find-links wheels "{_WANTED}"
Work:    jupyter lab notebooks/
"""


class PackError(CrowdCountError):
    """The pack cannot be made."""


def pip_commands(wheels: Path, platforms: list[str], python_version: str | None) -> list[list[str]]:
    """What pip is asked to do: build crowdcount's own wheel, then fetch everything that it needs beside it.

    Args:
        wheels: folder for the wheels.
        platforms: pip's names of the platforms that the wheels are for; none for this one.
        python_version: the Python that they are for, such as `"3.12"`; None for this one.
    """
    pip = [sys.executable, "-m", "pip"]
    fetch = [*pip, "download", "--only-binary=:all:", "--find-links", str(wheels), "--dest", str(wheels)]
    for platform in platforms:
        fetch += ["--platform", platform]
    if python_version:
        fetch += ["--python-version", python_version]
    return [[*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)], [*fetch, _WANTED]]


def write_pack(out: Path, platforms: list[str], python_version: str | None = None) -> Path:
    """Make the pack anew in the folder `out`; see `pip_commands` for the other arguments.

    Raises:
        PackError: where pip does not get a wheel.
        CrowdCountError: if `out` holds something else than a pack.
    """
    begin_anew(out, _PARTS)
    for command in pip_commands(out / "wheels", platforms, python_version):
        if subprocess.run(command).returncode:
            raise PackError(f"pip could not get every wheel; it says above which. Received: {' '.join(command)}")
    shutil.copytree(build(), out / "pages")
    write_slides(out / "slides")
    (out / "notebooks").mkdir()
    for path in [*sorted(NOTEBOOKS.glob("*.ipynb")), *(NOTEBOOKS / name for name in _BESIDE)]:
        shutil.copy(path, out / "notebooks")
    (out / "README.txt").write_text(_README, "utf-8")
    return out


def main() -> None:
    """The command; see the top of this module."""
    parser = argparse.ArgumentParser(prog="python -m tools.offline_pack", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the pack (default: build/pack)")
    parser.add_argument(
        "--platform", action="append", default=[], help="such as win_amd64; may be given more than once"
    )
    parser.add_argument("--python-version", help="such as 3.12")
    options = parser.parse_args()
    try:
        print(write_pack(options.out, options.platform, options.python_version))
    except CrowdCountError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
