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
import sysconfig
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crowdcount.errors import CrowdCountError
from tools.anew import begin_anew
from tools.repository import NOTEBOOKS, ROOT
from tools.site.build import build
from tools.slides.__main__ import write_slides

OUT = ROOT / "build" / "pack"
_PARTS = ("wheels", "pages", "slides", "notebooks", "docs", "README.txt")
_BESIDE = ("glossary.md", "notation.md")  # what the notebooks lead to, beside docs/
_WANTED = "crowdcount-csrnet[notebooks]"
_SYSTEMS = {  # by the beginning of pip's name: sys_platform, os_name, platform_system
    "win": ("win32", "nt", "Windows"),
    "macosx": ("darwin", "posix", "Darwin"),
    "manylinux": ("linux", "posix", "Linux"),
    "musllinux": ("linux", "posix", "Linux"),
    "linux": ("linux", "posix", "Linux"),
}
_MACHINES = {"win32": "x86", "amd64": "AMD64", "win_arm64": "ARM64", "arm64": "arm64", "aarch64": "aarch64"}


def readme(platforms: Sequence[str], python_version: str | None) -> str:
    """The text of README.txt; see `pip_commands` for the arguments."""
    python = ".".join(_numbers(python_version)[:2])
    machine = ", ".join(platforms) or sysconfig.get_platform()
    return f"""\
The course of crowdcount, without network.

For:     Python {python} on {machine}, installed beforehand: the wheels fit no other.
Read:    open pages/index.html in a browser. Slides: slides/*.html
Install: python{python} -m venv .venv      (Windows, in the Command Prompt: py -{python} -m venv .venv)
         . .venv/bin/activate          (Windows: .venv\\Scripts\\activate)
         pip install --no-index --find-links wheels "{_WANTED}"
Work:    jupyter lab notebooks/
"""


class PackError(CrowdCountError):
    """The pack cannot be made."""


def pip_commands(wheels: Path, platforms: Sequence[str], python_version: str | None) -> list[list[str]]:
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


def _numbers(python_version: str | None) -> list[str]:
    """`"3.12"`, or pip's `"312"`, as three numbers; this Python's for None."""
    if python_version is None:
        return [str(number) for number in sys.version_info[:3]]
    dotted = python_version if "." in python_version else f"{python_version[:1]}.{python_version[1:]}"
    return [*dotted.split("."), "0"][:3]


def markers_of(platform: str | None, python_version: str | None) -> dict[str, str]:
    """What a machine of pip's platform and Python answers to the conditions of requirements; this one's for None."""
    answers = {name: str(value) for name, value in default_environment().items()}
    for begin, (sys_platform, os_name, system) in _SYSTEMS.items():
        if platform and platform.startswith(begin):
            machine = next((name for end, name in _MACHINES.items() if platform.endswith(end)), "x86_64")
            answers |= {"sys_platform": sys_platform, "os_name": os_name}
            answers |= {"platform_system": system, "platform_machine": machine}
            break
    python = _numbers(python_version)
    return {**answers, "python_version": ".".join(python[:2]), "python_full_version": ".".join(python)}


def lacking(wheels: Path, markers: dict[str, str]) -> set[str]:
    """What the wheels in a folder need on such a machine, and what is not among them.

    pip asks conditions, such as `; sys_platform == "win32"`, of the machine that it runs on, also where it fetches for
    another one: a pack for Windows that was made on Linux had no colorama and no pywinpty, and did not install.

    Args:
        wheels: the folder.
        markers: see `markers_of`.
    """
    files = [str(path) for path in wheels.glob("*.whl")]
    there = {canonicalize_name(each.metadata["Name"]): each.requires or [] for each in distributions(path=files)}
    wanted, seen, missing = [Requirement(_WANTED)], set(), set()
    while wanted:
        one = wanted.pop()
        name = canonicalize_name(one.name)
        if name not in there:
            missing.add(f"{one.name}{one.specifier}")
        elif (name, *sorted(one.extras)) not in seen:
            seen.add((name, *sorted(one.extras)))
            for each in map(Requirement, there[name]):
                answers = [{**markers, "extra": extra} for extra in one.extras or [""]]
                if each.marker is None or any(map(each.marker.evaluate, answers)):
                    wanted.append(each)
    return missing


def _run(command: list[str]) -> None:
    if subprocess.run(command).returncode:
        raise PackError(f"pip could not get every wheel; it says above which. Received: {' '.join(command)}")


def write_pack(out: Path, platforms: Sequence[str], python_version: str | None = None) -> Path:
    """Make the pack anew in the folder `out`; see `pip_commands` for the other arguments.

    Raises:
        PackError: where pip does not get a wheel.
        CrowdCountError: if `out` holds something else than a pack.
    """
    begin_anew(out, _PARTS)
    wheels = out / "wheels"
    own, fetch = pip_commands(wheels, platforms, python_version)
    _run(own)
    _run(fetch)
    named: list[str | None] = [*platforms] or [None]
    machines = [markers_of(platform, python_version) for platform in named]
    asked: set[str] = set()
    while missing := set().union(*(lacking(wheels, machine) for machine in machines)) - asked:
        _run([*fetch[:-1], *sorted(missing)])
        asked |= missing
    shutil.copytree(build(), out / "pages")
    write_slides(out / "slides")
    (out / "notebooks").mkdir()
    for path in [*sorted(NOTEBOOKS.glob("*.ipynb")), *(NOTEBOOKS / name for name in _BESIDE)]:
        shutil.copy(path, out / "notebooks")
    shutil.copytree(ROOT / "docs", out / "docs", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (out / "README.txt").write_text(readme(platforms, python_version), "utf-8")
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
