"""The ways to train that have a name, each decision in one place."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import keras
import numpy as np
from scipy.spatial import KDTree

from crowdcount.data.annotations import Sample
from crowdcount.data.density import paper_sigma
from crowdcount.errors import TrainingError
from crowdcount.network.csrnet import INPUT_SCALE
from crowdcount.network.designs import FRONT_END, LAYERS
from crowdcount.training.losses import BayesianLoss, EuclideanLoss, PoissonLoss
from crowdcount.training.optimizers import LayerRateAdam, LayerRateSGD, WarmCosine
from crowdcount.training.pipeline import PaperPatches, RandomCrops, epoch_steps


@dataclass(frozen=True)
class Phase:
    """A part of a run in which examples, rates and trained layers stay the same.

    Attributes:
        name: what the progress line and the card call it.
        crops: what an example is.
        batch: examples a step.
        epochs: epochs that the recipe asks for; `--epochs` stretches all phases alike.
        frozen: beginnings of the names of layers that keep the weights that they have when the phase begins.
        optimizer: makes the optimizer from the phase's steps, the steps of the run before it, and the steps of the run.
    """

    name: str
    crops: RandomCrops | PaperPatches
    batch: int
    epochs: int
    frozen: tuple[str, ...]
    optimizer: Callable[[int, int, int], keras.optimizers.Optimizer]

    def __post_init__(self):
        for name, number in {"batch": self.batch, "epochs": self.epochs}.items():
            if not isinstance(number, int) or number < 1:
                raise TrainingError(f"`{name}` of a phase is a whole number, 1 or more. Received: {name}={number}")
        if not callable(self.optimizer):  # an optimizer itself would be used up by the first run
            raise TrainingError(
                "`optimizer` of a phase is a function that makes one, as WarmAdam(2e-5, average=0.99) or lambda steps, "
                f"before, total: keras.optimizers.Adam(1e-5). Received: optimizer={self.optimizer!r}"
            )


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: what `--recipe` takes.
        phases: one after the other, each from the (averaged) weights that the one before left.
        sigma: kernel of the target maps: pixels, `"adaptive"`, or a function that gives a sample's.
        loss: makes the loss, one that takes maps: its class, or a function. Outside of regions of interest both maps
            that it is given are 0.
        validate_every: epochs between two validations; the last epoch is always validated.
        start: changes the first weights, in place, where they are not those of an earlier run.
        goes_on: whether it is for trained weights: `init` must name some.
        hard: share of the examples that lie where the first weights err, see `crowdcount.training.mining`.
        taught: share of a teacher's map in the targets, see `crowdcount.training.teacher`; above 0 a teacher must be
            named.
        width: of the network, where none is given.
        least_steps: steps that a run of few pictures takes all the same: it has more epochs than the phases say.

    Example:
        >>> from dataclasses import replace
        >>> mine = replace(RECIPES["clear"], name="mine", validate_every=1)
        >>> find_recipe(mine).epochs
        20
    """

    name: str
    phases: tuple[Phase, ...]
    sigma: float | str | Callable[[Sample], float | str]
    loss: Callable[[], keras.losses.Loss]
    validate_every: int
    start: Callable[[keras.Model], None] = lambda model: None
    goes_on: bool = False
    hard: float = 0.0
    taught: float = 0.0
    width: float = 1.0
    least_steps: int = 0

    def __post_init__(self):
        if not self.phases or self.validate_every < 1:
            raise TrainingError(
                "A recipe has a phase or more, and validates every epoch or more rarely. Received: "
                f"phases={self.phases}, validate_every={self.validate_every}"
            )
        for name, share in {"hard": self.hard, "taught": self.taught}.items():
            if not 0 <= share <= 1:
                raise TrainingError(f"`{name}` of a recipe is a share, from 0 to 1. Received: {name}={share}")
        if self.hard and not all(isinstance(phase.crops, RandomCrops) for phase in self.phases):
            raise TrainingError("Hard places are shown by RandomCrops. Give all phases such crops, or hard=0.")
        loss = keras.losses.Loss
        # A loss itself can be called too, with maps.
        if isinstance(self.loss, loss) or not callable(self.loss) or not isinstance(self.loss(), loss):
            raise TrainingError(
                "`loss` of a recipe makes a loss of Keras, as PoissonLoss or lambda: PoissonLoss(halved_at=100). "
                f"Received: loss={self.loss!r}"
            )
        if isinstance(self.loss(), BayesianLoss):
            raise TrainingError(
                "A recipe's `loss` takes maps, BayesianLoss heads. Give it another one, or train in Python: "
                "with crowdcount.training.feeding.batches(samples, RandomCrops(256), batch=4, target='points') as "
                "examples: model.fit(examples, steps_per_epoch=100, epochs=10)."
            )

    def kernel(self, sample: Sample) -> float | str:
        """The kernel of a sample's target map: pixels or `"adaptive"`."""
        return self.sigma(sample) if callable(self.sigma) else self.sigma

    @property
    def epochs(self) -> int:
        """Epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    def epochs_for(self, samples: Sequence[Sample]) -> int:
        """Epochs of a run on these pictures: those of the phases, more where these would be fewer than `least_steps`.

        Example:
            >>> few, sample = RECIPES["few"], Sample("a", np.zeros((8, 8, 3), np.uint8), [])
            >>> few.epochs_for([sample] * 28), few.epochs_for([sample] * 3)
            (20, 94)
        """
        steps = sum(phase.epochs * epoch_steps(samples, phase.crops, phase.batch) for phase in self.phases)
        return max(self.epochs, math.ceil(self.epochs * self.least_steps / max(1, steps)))

    @property
    def digest(self) -> str:
        """Digits that change with the examples of its phases, their batches, the layers they train, and the loss."""
        told = [(phase.name, _told(phase.crops), phase.batch, phase.frozen) for phase in self.phases]
        config = self.loss().get_config()
        if "name" in config:  # Keras counts the losses that have none: my_loss, my_loss_1
            config["name"] = re.sub(r"_\d+$", "", config["name"])
        loss = sorted(config.items())
        return hashlib.sha256(repr((told, self.goes_on, self.hard, self.taught, loss)).encode()).hexdigest()[:12]


def _told(crops: RandomCrops | PaperPatches) -> tuple:
    """The settings that are not the usual ones: a setting that is new one day changes no older recipe."""
    usual = type(crops)()
    settings = ((field.name, getattr(crops, field.name)) for field in fields(crops))
    drawn_by = (crops.drawn_by,) if isinstance(crops, RandomCrops) else ()
    return (type(crops).__name__, *drawn_by, *(each for each in settings if each[1] != getattr(usual, each[0])))


def _paper_start(model: keras.Model) -> None:
    """New layers from a normal distribution of standard deviation 0.01, as the paper has it (section 3.2.2).

    The paper's front end works at VGG-16's own scale, ours at 1 / 58 of it; the first dilated layer makes up for it,
    so that this is the paper's network from the first step on.
    """
    normal = keras.initializers.RandomNormal(stddev=0.01)
    for name in LAYERS[len(FRONT_END) :]:
        kernel, bias = model.get_layer(name).variables
        kernel.assign(normal(kernel.shape) * (INPUT_SCALE if name == "dilated1" else 1.0))
        bias.assign(keras.ops.zeros_like(bias))


def _paper_optimizer(steps: int, before: int, total: int) -> keras.optimizers.Optimizer:
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


@dataclass(frozen=True)
class WarmAdam:
    """Makes Adam whose rate warms up and then falls by a cosine over the whole run, beside an average of the weights.

    Attributes:
        peak: the highest rate.
        average: what the average of the weights keeps of itself at each step.
        last: by how much faster the last layers learn.
        decay: share of the rate by which weights shrink at each step (decoupled weight decay); None: none.

    Reference:
        Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, for `decay`.

    Example:
        >>> WarmAdam(2e-5, average=0.99)(100, 0, 100).ema_momentum
        0.99
    """

    peak: float
    average: float
    last: float = 6.0
    decay: float | None = None

    def __call__(self, steps: int, before: int, total: int) -> keras.optimizers.Optimizer:
        """See `Phase.optimizer`."""
        rate = WarmCosine(self.peak, steps, before=before, total=total)
        return LayerRateAdam(
            rate, factor=self._factor, use_ema=True, ema_momentum=self.average, weight_decay=self.decay
        )

    def _factor(self, layer: str, kind: str) -> float:
        return self.last if layer in ("dilated4", "dilated5", "dilated6", "density") else 1.0


# Strong changes of size, light and weather: teaches a lot, and leaves clear, whole pictures 5 to 18 % too high.
_WIDE = Phase(
    name="wide",
    crops=RandomCrops(256, scale=(0.55, 1.3), blank=0.08, gamma=(0.7, 1.5), gray=0.1, haze=0.5, clutter=0.15),
    batch=4,
    epochs=60,
    frozen=("block1", "block2", "block3"),
    optimizer=WarmAdam(2e-5, average=0.99),
)

# Pictures nearly as they come, a tenth of them soft. Batches of 2 at nearly the same rate threw trained weights back in
# their first epoch, and six did not make up for it (docs/recipe.md).
_CLEAR = Phase(
    name="clear",
    crops=RandomCrops(256, scale=(0.8, 1.25), blank=0.02, gamma=(0.85, 1.2), gray=0.05, clutter=0.03, soft=0.1),
    batch=4,
    epochs=20,
    frozen=("block1", "block2"),
    optimizer=WarmAdam(2e-5, average=0.99),
)


def _spaced_sigma(sample: Sample) -> float:
    """A third of the middle distance from a dot to the next, from 4 to 8 pixels: things may be smaller than heads."""
    if sample.count < 2:
        return 8.0
    distances, _ = KDTree(sample.points).query(sample.points, 2)
    return float(np.clip(np.median(distances[:, 1]) / 3, 4.0, 8.0))


_DEFAULT = Recipe(
    name="default",
    phases=(replace(_WIDE, epochs=40), _CLEAR),
    sigma=lambda sample: 8.0,
    loss=PoissonLoss,
    # Part A's 60 validation pictures, of many sizes, take as long as one and a half of its epochs.
    validate_every=15,
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="paper",
            phases=(
                Phase(
                    name="paper",
                    crops=PaperPatches(),
                    batch=1,
                    epochs=400,
                    frozen=(),
                    optimizer=_paper_optimizer,
                ),
            ),
            sigma=paper_sigma,
            loss=EuclideanLoss,
            validate_every=1,
            start=_paper_start,
        ),
        _DEFAULT,
        replace(_DEFAULT, name="wide", phases=(_WIDE,)),
        replace(
            _DEFAULT,
            name="clear",
            phases=(_CLEAR,),
            validate_every=6,
            loss=lambda: PoissonLoss(halved_at=100),
            goes_on=True,
        ),
        # For things that have no upright, in a few dozen pictures: many crops of each, turned and mirrored, no weather.
        # Things under a microscope keep their size; they look less like heads than crowds do: thrice the rate. What a
        # cell is takes some hundred steps to learn, however few pictures show it.
        replace(
            _DEFAULT,
            name="few",
            phases=(
                replace(
                    _CLEAR,
                    name="few",
                    crops=RandomCrops(256, 8, scale=(0.9, 1.1), blank=0.02, gamma=(0.8, 1.25), gray=0.1, turned=True),
                    optimizer=WarmAdam(6e-5, average=0.99),
                ),
            ),
            sigma=_spaced_sigma,
            validate_every=2,
            least_steps=560,
        ),
        # For a small network, whose first weights are fitted to its teacher's: all of it learns, in larger batches and
        # at higher rates than trained weights bear. It cannot learn everything, and dense crops, which have most of the
        # heads, would have it count the sparse too low: they weigh less.
        replace(
            _DEFAULT,
            name="light",
            loss=lambda: PoissonLoss(halved_at=30),
            phases=tuple(
                replace(phase, batch=8, frozen=(), optimizer=WarmAdam(5e-4, average=0.995, last=1.0))
                for phase in _DEFAULT.phases
            ),
            validate_every=4,
            taught=0.5,
            width=0.25,
        ),
        # Shows what the weights still count wrongly, nearer to the pictures' own size and light than wide, and with all
        # of its weather and litter: with less of it haze is counted lower and confetti higher again.
        replace(
            _DEFAULT,
            name="finish",
            phases=(
                replace(
                    _WIDE,
                    name="finish",
                    crops=RandomCrops(
                        256, scale=(0.7, 1.25), blank=0.06, gamma=(0.8, 1.35), gray=0.05, haze=0.5, clutter=0.15
                    ),
                    epochs=10,
                ),
            ),
            validate_every=10,
            goes_on=True,
            hard=0.5,
        ),
    )
}


def find_recipe(recipe: str | Recipe) -> Recipe:
    """The recipe of this name; a `Recipe` is its own.

    Raises:
        TrainingError: where there is none; says which there are.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, str) or recipe not in RECIPES:
        raise TrainingError(f"There is no recipe named {recipe!r}. Recipes: {', '.join(RECIPES)}.")
    return RECIPES[recipe]
