"""Pages of the API reference: one for each wing of the package, filled from the docstrings."""

from __future__ import annotations

import ast
from pathlib import Path
from pkgutil import iter_modules

import crowdcount

# What is no API: the command line, the pages in the browser, and what the course's notebooks keep for themselves.
_LEFT_OUT = ("__main__", "cli", "web", "annotating", "notebook_", "figures_", "_")


def modules(folder: Path) -> list[str]:
    """Names of the modules and wings in a folder of the package, without what is no API."""
    return sorted(module.name for module in iter_modules([str(folder)]) if not module.name.startswith(_LEFT_OUT))


def write_api_pages(target: Path) -> None:
    """Write `index.md`, a page for each wing and one for the ground, as sources for Sphinx's autodoc."""
    target.mkdir(parents=True, exist_ok=True)
    package = Path(crowdcount.__file__).parent
    names = modules(package)
    wings = [name for name in names if (package / name).is_dir()]
    ground = [f"crowdcount.{name}" for name in names if name not in wings]
    pages = {"ground": ("The ground: what every wing stands on", ground)}
    for wing in wings:
        pages[wing] = (f"crowdcount.{wing}", [f"crowdcount.{wing}.{name}" for name in modules(package / wing)])
    for page, (title, inside) in pages.items():
        parts = [f"{title}\n{'=' * len(title)}", *([_members(title)] if page in wings else []), *map(_module, inside)]
        (target / f"{page}.rst").write_text("\n\n".join(parts) + "\n", "utf-8")
    (target / "index.md").write_text(_index(list(pages)), "utf-8")


def _module(name: str) -> str:
    return f"{name}\n{'-' * len(name)}\n\n{_members(name)}"


def _members(name: str) -> str:
    return f".. automodule:: {name}\n   :members:"


def public_names() -> dict[str, str]:
    """The names reached from `crowdcount` itself, each with the module that has it, as the package's stub has them."""
    stub = ast.parse(Path(crowdcount.__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.name: f"crowdcount.{node.module}" for node in imports for alias in node.names}


def _index(pages: list[str]) -> str:
    rows = "\n".join(f"| `crowdcount.{name}` | {{py:obj}}`{home}.{name}` |" for name, home in public_names().items())
    return (
        "# API reference\n\nMade from the docstrings. These names are reached from `crowdcount` itself:\n\n"
        f"| name | described at |\n|---|---|\n{rows}\n\n"
        "```{toctree}\n:maxdepth: 1\n\n" + "\n".join(pages) + "\n```\n"
    )
