"""Where this repository can be found: one setting, `url` under `[metadata]` in setup.cfg."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from crowdcount.errors import CrowdCountError

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
BRANCH = "main"
_GITHUB = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")


class SettingError(CrowdCountError):
    """A setting of setup.cfg cannot be used."""


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub, the one host that Colab, Kaggle and Binder all open notebooks from.

    >>> here = Repository("somebody", "crowdcount")
    >>> here.page("README.md")
    'https://github.com/somebody/crowdcount/blob/main/README.md'
    """

    owner: str
    name: str

    @property
    def url(self) -> str:
        """Its address, for a browser and for git."""
        return f"https://github.com/{self.owner}/{self.name}"

    def page(self, path: str) -> str:
        """Address of a file's page; `path` is relative to the top of the repository."""
        return f"{self.url}/blob/{BRANCH}/{quote(path)}"

    def launchers(self, path: str) -> dict[str, str]:
        """Addresses that open the notebook at `path` in Colab, Kaggle and Binder, ready to run."""
        there = f"{self.owner}/{self.name}"
        return {
            "Colab": f"https://colab.research.google.com/github/{there}/blob/{BRANCH}/{quote(path)}",
            "Kaggle": f"https://kaggle.com/kernels/welcome?src={self.page(path)}",
            "Binder": f"https://mybinder.org/v2/gh/{there}/{BRANCH}?labpath={quote(path, safe='')}",
        }


def repository(setup_cfg: Path = ROOT / "setup.cfg") -> Repository | None:
    """The repository that setup.cfg names, or None as long as it names none.

    Raises:
        SettingError: where the address is not that of a repository on GitHub.
    """
    settings = configparser.ConfigParser()
    settings.read(setup_cfg, encoding="utf-8")
    url = settings.get("metadata", "url", fallback="").strip()
    if not url:
        return None
    found = _GITHUB.fullmatch(url)
    if not found:
        raise SettingError(
            "The url in setup.cfg must be that of a repository on GitHub, https://github.com/OWNER/NAME: Colab and "
            f"Kaggle open notebooks from nowhere else. Received: url={url}"
        )
    return Repository(*found.groups())
