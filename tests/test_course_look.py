"""The course's figures: sharp, small, and told in words."""

import io

import numpy as np
from matplotlib import pyplot
from PIL import Image

from crowdcount.course import alt, look


def _figure():
    figure, axes = look.canvas(1, 2)
    axes[0].plot([1, 2], label="one")
    axes[0].legend()
    look.label(axes[0], "epoch", "loss (nats)", "The $loss$\nfalls")
    look.picture(axes[1], np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8), "Noise")
    return figure


def test_words_of_a_figure():
    figure = _figure()
    figure.suptitle("Both")
    assert alt.text(figure) == (
        "2 panels. Both. (1) Chart: The loss falls; across: epoch; upward: loss (nats); shown: one. (2) Picture: Noise."
    )
    pyplot.close("all")


def test_a_row_of_pictures_is_told_once():
    figure, axes = look.canvas(1, 4)
    for each in axes:
        look.picture(each, np.zeros((4, 4, 3)))
    axes[0].set_title("heads", loc="left")
    assert alt.text(figure) == "4 panels. (1) Picture: heads. (2) to (4) Picture."
    pyplot.close("all")


def test_pictures_that_are_numbered_are_told_once():
    _, axes = look.canvas(1, 6)
    for each, title in zip(axes, ("8", "8", "9", "10", "11", "3")):
        look.picture(each, np.zeros((4, 4, 3)), title)
    assert alt.text(axes[0].figure) == ("6 panels. (1) to (2) Picture: 8. (3) to (5) Picture: 9 to 11. (6) Picture: 3.")
    pyplot.close("all")


def test_a_figure_in_a_notebook_is_sharp_small_and_described():
    look.use()
    figure = _figure()
    data, metadata = look.png(figure)
    shown = Image.open(io.BytesIO(data))
    plain = io.BytesIO()
    figure.savefig(plain, format="png", bbox_inches="tight")
    assert shown.format == "PNG" and shown.width > 0.9 * 120 * look.WIDTH
    assert len(data) < len(plain.getvalue()) / 2
    assert metadata == {"alt": alt.text(figure)}
    pyplot.close("all")
