"""Gather the pages in one folder, let Sphinx turn them into HTML."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from crowdcount.errors import CrowdCountError
from tools.anew import begin_anew
from tools.repository import ROOT, repository
from tools.shipped import mathjax
from tools.site.api_pages import write_api_pages
from tools.site.staging import stage

OUT = ROOT / "build" / "site"


def build(out: Path = OUT) -> Path:
    """Build the site anew.

    Args:
        out: folder for the pages' sources and the pages; what a build before left there is replaced.

    Returns:
        The folder of the pages; `index.html` in it is where to begin.

    Raises:
        CrowdCountError: if `out` holds something else than a site.
        SystemExit: where Sphinx finds a fault, such as a link that leads nowhere; it has printed which.
    """
    source, pages, doctrees = parts = [out / name for name in ("source", "html", "doctrees")]
    begin_anew(out, [part.name for part in parts])
    shutil.copytree(Path(__file__).parent / "source", source)
    shutil.copy(mathjax(), source / "_static" / "mathjax.js")
    stage(source, repository())
    write_api_pages(source / "api")
    # A process of its own: what Sphinx changes in Python's modules and logs ends with it.
    sphinx = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", "-d", str(doctrees)]
    done = subprocess.run([*sphinx, str(source.resolve()), str(pages.resolve())], cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.returncode)
    return pages


def main() -> None:
    """The command: `python -m tools.site [--out FOLDER]`."""
    parser = argparse.ArgumentParser(prog="python -m tools.site", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the site (default: build/site)")
    try:
        print(f"open {build(parser.parse_args().out) / 'index.html'}")
    except CrowdCountError as error:
        raise SystemExit(str(error)) from None
