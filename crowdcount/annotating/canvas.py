"""The widgets that notebooks show, carried by anywidget, which need not be there."""

from __future__ import annotations

from crowdcount.errors import needing
from crowdcount.web.parts import bundle, static_file


def canvas_class(what: str, name: str, **traits: str) -> type:
    """The class of a widget, made when it is first asked for.

    Args:
        what: needs anywidget, for the message.
        name: of its script and its style.
        traits: what it shares with the page besides `texts`, and the kind of each, as traitlets calls it.

    Raises:
        MissingPackageError: where anywidget is missing.

    Example:
        >>> canvas_class("Drawing", "zonewidget", size="List").class_trait_names(sync=True)  # doctest: +SKIP
        ['size', 'texts', ...]
    """
    with needing(f"{what} in a notebook needs anywidget", '".[notebooks]"'):
        import anywidget
        import traitlets

    shared = {"texts": "Dict", **traits}
    return type(
        "Canvas",
        (anywidget.AnyWidget,),
        {
            "_esm": bundle(f"{name}.js"),
            "_css": static_file("stage.css") + static_file(f"{name}.css"),
            **{trait: getattr(traitlets, kind)().tag(sync=True) for trait, kind in shared.items()},
        },
    )
