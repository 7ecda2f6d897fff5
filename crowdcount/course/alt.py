"""What a figure shows, in words, for those who hear a page instead of seeing it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMES = 8
_LEAST_COUNTED = 3


def text(figure: Figure) -> str:
    """The figure's panels with their titles, axes and legends, as one line of text.

    Example:
        >>> from crowdcount.course import look
        >>> figure, axes = look.canvas()
        >>> look.label(axes, "epoch", "loss (nats)", "The loss falls")
        >>> text(figure)
        'Chart: The loss falls; across: epoch; upward: loss (nats).'
    """
    panels = [_panel(axes) for axes in figure.axes if not _bar_of_colors(axes)]
    heads = [_plain(each.get_text()) for each in figure.texts if each.get_text().strip()]  # a title over all, notes
    if len(panels) > 1:
        heads.insert(0, f"{len(panels)} panels")
        panels = _numbered(panels)
    return ". ".join([*heads, *panels]) + "."


def _numbered(panels: list[str]) -> list[str]:
    """Panels with their numbers; neighbors that say the same, or count on, are told once, "(2) to (9)"."""
    told, first = [], 0
    while first < len(panels):
        end, text = _alike(panels, first)
        told.append(f"({first + 1}) {text}" if end == first + 1 else f"({first + 1}) to ({end}) {text}")
        first = end
    return told


def _alike(panels: list[str], first: int) -> tuple[int, str]:
    """Where the neighbors end that are told with a panel, and what is told of them."""
    same = counted = first + 1
    while same < len(panels) and panels[same] == panels[first]:
        same += 1
    title = re.fullmatch(r"(.*: )(\d+)", panels[first])  # nothing but a number, as of filters
    if title is not None:
        while counted < len(panels) and panels[counted] == f"{title[1]}{int(title[2]) + counted - first}":
            counted += 1
        if counted - first >= _LEAST_COUNTED:
            return counted, f"{panels[first]} to {int(title[2]) + counted - first - 1}"
    return same, panels[first]


def _panel(axes: Axes) -> str:
    kind = "Picture" if axes.images else "Chart" if axes.axison else "Drawing"
    title = axes.get_title() or axes.get_title("left") or axes.get_title("right")
    parts = [f"{kind}: {_plain(title)}" if title else kind]
    if axes.axison:
        named = (("across", axes.get_xlabel()), ("upward", axes.get_ylabel()))
        parts += [f"{way}: {_plain(name)}" for way, name in named if name.strip()]
    names = [_plain(name) for name in axes.get_legend_handles_labels()[1]]
    if names:
        parts.append("shown: " + _listed(names))
    written = [_plain(each.get_text()) for each in axes.texts if each.get_text().strip()]
    if written:
        parts.append("written in it: " + _listed(written))
    return "; ".join(parts)


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - _MOST_NAMES} more" if len(words) > _MOST_NAMES else ""
    return ", ".join(words[:_MOST_NAMES]) + more


def _bar_of_colors(axes: Axes) -> bool:
    return axes.get_label() == "<colorbar>"


def _plain(text: str) -> str:
    """Without line breaks and the signs of mathematical text."""
    return " ".join(text.replace("$", "").split())
