"""Links from pages to files of the repository that are no pages themselves."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from tools.repository import Repository

# A link or a picture; no address with a scheme, no place on the same page.
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


@dataclass(frozen=True)
class Links:
    """Rewrites the links of pages.

    Attributes:
        root: top of the repository.
        where: the repository on the web, or None.
        pages: the pages, relative to `root`.
    """

    root: Path
    where: Repository | None
    pages: set[Path]

    def rewritten(self, text: str, page: Path) -> str:
        """`text` of `page`, a path under the root, with links that hold on the site.

        Links to pages and pictures stay. A link to another file leads to the repository; while its address is unset the
        words alone stay, since a link that leads nowhere helps nobody.
        """
        return _LINK.sub(lambda found: self._link(found, page.parent.relative_to(self.root)), text)

    def _link(self, found: re.Match, folder: Path) -> str:
        picture, words, target, _ = found.groups()
        path = posixpath.normpath((folder / target).as_posix())
        if picture or Path(path) in self.pages:
            return found.group()
        return words if self.where is None else f"[{words}]({self.where.page(path)})"
