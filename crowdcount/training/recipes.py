"""The ways to train that have a name, each decision in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import keras

from crowdcount.data.annotations import Sample
from crowdcount.data.density import paper_sigma
from crowdcount.errors import TrainingError
from crowdcount.network.csrnet import INPUT_SCALE
from crowdcount.network.designs import BACK_END_FILTERS
from crowdcount.training.losses import EuclideanLoss, PoissonLoss
from crowdcount.training.optimizers import LayerRateAdam, LayerRateSGD
from crowdcount.training.pipeline import PaperPatches, RandomCrops


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: what `--recipe` takes.
        crops: what an example is.
        batch: examples a step.
        sigma: kernel of a sample's target map: pixels or `"adaptive"`.
        loss: makes the loss.
        optimizer: makes the optimizer for a run of so many steps.
        epochs: epochs that the recipe asks for; `--epochs` changes it.
        validate_every: epochs between two validations; the last epoch is always validated.
        frozen: beginnings of the names of layers that keep the weights they start with.
        start: changes the first weights, in place, where they are not those of an earlier run.
        goes_on: whether it is for trained weights: `init` must name some.
        hard: share of the examples that lie where the first weights err, see `crowdcount.training.mining`.
    """

    name: str
    crops: RandomCrops | PaperPatches
    batch: int
    sigma: Callable[[Sample], float | str]
    loss: Callable[[], keras.losses.Loss]
    optimizer: Callable[[int], keras.optimizers.Optimizer]
    epochs: int
    validate_every: int
    frozen: tuple[str, ...]
    start: Callable[[keras.Model], None]
    goes_on: bool = False
    hard: float = 0.0


def _paper_start(model: keras.Model) -> None:
    """New layers from a normal distribution of standard deviation 0.01, as the paper has it (section 3.2.2).

    The paper's front end works at VGG-16's own scale, ours at 1 / 58 of it; the first dilated layer makes up for it,
    so that this is the paper's network from the first step on.
    """
    normal = keras.initializers.RandomNormal(stddev=0.01)
    for name in [f"dilated{position}" for position in range(1, len(BACK_END_FILTERS) + 1)] + ["density"]:
        kernel, bias = model.get_layer(name).variables
        kernel.assign(normal(kernel.shape) * (INPUT_SCALE if name == "dilated1" else 1.0))
        bias.assign(keras.ops.zeros_like(bias))


def _paper_optimizer(steps: int) -> keras.optimizers.Optimizer:
    """Plain gradient descent at 1e-6, which takes the steps that it would take at VGG-16's own scale.

    A weight that is stored c times as large, with the network's output unchanged, has a gradient of 1 / c: it needs
    c * c of the rate to move as it would have. The front end's biases are stored 1 / 58 as large, the first dilated
    kernel 58 times.
    """

    def factor(layer: str, kind: str) -> float:
        if layer.startswith("block") and kind == "bias":
            return INPUT_SCALE**-2
        return INPUT_SCALE**2 if (layer, kind) == ("dilated1", "kernel") else 1.0

    return LayerRateSGD(1e-6, factor=factor)


def _default_optimizer(steps: int) -> keras.optimizers.Optimizer:
    warmup = min(100, max(1, steps // 10))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), alpha=0.0, warmup_target=2e-5, warmup_steps=warmup
    )

    def factor(layer: str, kind: str) -> float:
        return 6.0 if layer in ("dilated4", "dilated5", "dilated6", "density") else 1.0

    return LayerRateAdam(rate, factor=factor, use_ema=True, ema_momentum=0.99)


_DEFAULT = Recipe(
    name="default",
    crops=RandomCrops(256, scale=(0.55, 1.3), blank=0.08, gamma=(0.7, 1.5), gray=0.1, haze=0.5, clutter=0.15),
    batch=4,
    sigma=lambda sample: 8.0,
    loss=PoissonLoss,
    optimizer=_default_optimizer,
    epochs=60,
    validate_every=6,
    frozen=("block1", "block2", "block3"),
    start=lambda model: None,
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="paper",
            crops=PaperPatches(),
            batch=1,
            sigma=paper_sigma,
            loss=EuclideanLoss,
            optimizer=_paper_optimizer,
            epochs=400,
            validate_every=1,
            frozen=(),
            start=_paper_start,
        ),
        _DEFAULT,
        # Shows what the weights still count wrongly, nearer to the pictures' own size and light than default, and with all
        # of its weather and litter: with less of it haze is counted lower and confetti higher again.
        replace(
            _DEFAULT,
            name="finish",
            crops=RandomCrops(256, scale=(0.7, 1.25), blank=0.06, gamma=(0.8, 1.35), gray=0.05, haze=0.5, clutter=0.15),
            epochs=10,
            validate_every=10,
            goes_on=True,
            hard=0.5,
        ),
    )
}


def find_recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        TrainingError: where there is none; says which there are.
    """
    if name not in RECIPES:
        raise TrainingError(f"There is no recipe named {name!r}. Recipes: {', '.join(RECIPES)}.")
    return RECIPES[name]
