"""What a figure shows, in words, for those who hear a page instead of seeing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMES = 8


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
        panels = [f"({number}) {panel}" for number, panel in enumerate(panels, start=1)]
        heads.insert(0, f"{len(panels)} panels")
    return ". ".join([*heads, *panels]) + "."


def _panel(axes: Axes) -> str:
    kind = "Picture" if axes.images else "Chart" if axes.axison else "Drawing"
    parts = [f"{kind}: {_plain(axes.get_title())}" if axes.get_title() else kind]
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
