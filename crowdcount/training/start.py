"""The network as a run starts it: its first weights, and which of its layers a phase trains."""

from __future__ import annotations

import os
from collections.abc import Sequence

import keras

from crowdcount.data.annotations import Sample
from crowdcount.errors import WeightsError
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.loading import load_model
from crowdcount.training.narrowing import narrow
from crowdcount.training.plan import Plan


def build(plan: Plan, imagenet_file: str | os.PathLike | None = None, samples: Sequence[Sample] = ()) -> keras.Model:
    """A new network with the plan's first weights.

    Args:
        plan: of the run.
        imagenet_file: see `crowdcount.CSRNet`.
        samples: to learn from; weights that are fitted to a teacher's are fitted on these.

    Raises:
        WeightsError: where these are missing or do not fit.
        TrainingError: where the teacher's layers are no start.
    """
    weights = None if plan.init in ("none", "teacher") else plan.init
    model = CSRNet(plan.design, plan.width, weights=weights, imagenet_file=imagenet_file)
    # PyTorch's weights come without it. What a run leaves is read with it, and losses want no negative cell.
    model.get_layer("density").activation = keras.activations.relu
    if plan.init == "teacher" and plan.teacher is not None:  # the plan sees to that
        narrow(model, load_model(plan.teacher, precision="float32"), samples, plan.seed)
    elif plan.init in ("imagenet", "none"):
        plan.recipe.start(model)
    return model


def freeze(model: keras.Model, frozen: tuple[str, ...]) -> None:
    """Let those layers learn whose names begin otherwise, in place; takes effect when the model is compiled."""
    for layer in model.layers:
        layer.trainable = not layer.name.startswith(frozen)


def first_weights(design: str, width: float, imagenet_file: str | os.PathLike | None, own_data: bool) -> str:
    """What a run starts from where nobody says it: ImageNet's weights, or where these cannot be had `general`.

    Args:
        design, width: of the network.
        imagenet_file: see `crowdcount.CSRNet`.
        own_data: whether the pictures are the user's own. `general` has learned from ShanghaiTech: whoever trains on
            that wants to choose.

    Returns:
        `"imagenet"` or `"general"`.

    Raises:
        WeightsError: where ImageNet's weights cannot be had and `general` is no start for this; says what is.
    """
    try:
        CSRNet(design, width, weights="imagenet", imagenet_file=imagenet_file)
        return "imagenet"
    except WeightsError as error:
        fits = width == 1 and design == "B"
        if own_data and fits and imagenet_file is None:
            return "general"
        general = "--init general (init='general') goes on from the weights that come with crowdcount, "
        raise WeightsError(
            f"{error} Or start otherwise: {general if fits else ''}--init none (init='none') from random ones."
        ) from None
