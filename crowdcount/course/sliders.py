"""A slider under a figure, for those who read a notebook where a person can move it."""

from __future__ import annotations

from collections.abc import Callable


def show(draw: Callable[..., object], note: str, **values: list) -> None:
    """Show one slider for each named list of values and redraw when it moves.

    The figure above it in the notebook says the same without moving: where there is no front end (a web page, a test)
    or no ipywidgets, nothing is missing but the movement.

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
    from matplotlib import pyplot

    def redraw(**chosen) -> None:
        draw(**chosen)
        pyplot.show()

    controls = {
        name: ipywidgets.SelectionSlider(
            options=options,
            value=options[len(options) // 2],
            description=name.replace("_", " "),
            continuous_update=False,
        )
        for name, options in values.items()
    }
    output = ipywidgets.interactive_output(redraw, controls)
    box = ipywidgets.VBox([*controls.values(), output])
    data, metadata = box._repr_mimebundle_(), {}
    display({**data, "text/plain": note}, metadata=metadata, raw=True)
