"""A slider under a figure, for those who read a notebook where a person can move it."""

from __future__ import annotations

import io
from collections.abc import Callable


def show(draw: Callable[..., object], note: str, **values: list) -> None:
    """Show one slider for each named list of values and redraw when it moves.

    The figure above it in the notebook says the same without moving: where there is no front end (a web page, a
    test) or no ipywidgets, nothing is missing but the movement.

    Args:
        draw: draws a figure with pyplot; takes one keyword for each of `values`.
        note: what stands in the slider's place where it cannot be shown.
        values: for each keyword the values to choose from; the slider begins in the middle.
    """
    try:
        import ipywidgets
    except ImportError:
        print(note)
        return
    from IPython.display import display

    controls = {
        name: ipywidgets.SelectionSlider(
            options=options,
            value=options[len(options) // 2],
            description=name.replace("_", " "),
            continuous_update=False,
        )
        for name, options in values.items()
    }
    # A picture, not an output area: it does not flicker, and needs nothing from what runs the notebook.
    image = ipywidgets.Image(format="png", layout={"max_width": "100%", "object_fit": "contain"})

    def redraw(change: object = None) -> None:
        image.value = _drawn(draw, {name: control.value for name, control in controls.items()})

    for control in controls.values():
        control.observe(redraw, "value")
    redraw()
    # A page that cannot show the slider shows the note.
    box = ipywidgets.VBox([*controls.values(), image], layout={"align_items": "flex-start"})
    display({**box._repr_mimebundle_(), "text/plain": note}, raw=True)


def _drawn(draw: Callable[..., object], values: dict) -> bytes:
    """The figure that `draw` leaves, as a PNG file."""
    from matplotlib import pyplot

    draw(**values)
    file = io.BytesIO()
    pyplot.savefig(file, format="png")
    pyplot.close()
    return file.getvalue()
