"""What a run is to do, settled before its first step: recipe, network, epochs, and where each phase begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from crowdcount.data.annotations import Sample
from crowdcount.errors import TrainingError
from crowdcount.network.designs import DESIGNS
from crowdcount.network.weight_files import network_in
from crowdcount.training.pipeline import epoch_steps
from crowdcount.training.recipes import RECIPES, Phase, Recipe, find_recipe

NO_WEIGHTS = ("imagenet", "none", "teacher")
"""What a run may start from instead of the weights of a name or a file."""


@dataclass(frozen=True)
class Stretch:
    """A phase within a run.

    Attributes:
        phase: of the recipe.
        first, end: it has the epochs `first` to `end - 1`, the run's first epoch being 0.
        steps: steps an epoch.
        before: steps of the run before it.
        examples: examples of the run before it.
        total: steps of the whole run.
    """

    phase: Phase
    first: int
    end: int
    steps: int
    before: int
    examples: int
    total: int


@dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Attributes:
        recipe: how the network is trained.
        epochs: of the whole run.
        design, width: see `crowdcount.CSRNet`.
        init: `"imagenet"`, `"none"`, `"teacher"` for weights fitted to the teacher, or the name or file of the weights
            that it starts from.
        seed: of the first weights, the crops and their order.
        teacher: name or file of the network that it learns from, where the recipe has one.
    """

    recipe: Recipe
    epochs: int
    design: str = "B"
    width: float = 1.0
    init: str = "imagenet"
    seed: int = 0
    teacher: str | None = None

    def __post_init__(self):
        if not isinstance(self.epochs, int) or self.epochs < 1:
            raise TrainingError(f"A run has a whole number of epochs, 1 or more. Received: epochs={self.epochs}")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise TrainingError(f"A seed is a whole number from 0 to {2**32 - 1}. Received: seed={self.seed}")
        if self.design not in DESIGNS:
            raise TrainingError(f"`design` must be one of {', '.join(DESIGNS)}. Received: design={self.design!r}")
        if self.recipe.goes_on and self.init in ("imagenet", "none"):
            raise TrainingError(
                f"The recipe {self.recipe.name!r} goes on from trained weights. Received: init={self.init!r}. Give the "
                "name or the file of weights (init=, --init), or begin with the recipe 'default'."
            )
        if self.recipe.taught and self.teacher is None:
            raise TrainingError(
                f"The recipe {self.recipe.name!r} learns from a larger network. Name it: teacher='general' (--teacher "
                "general)."
            )
        if self.teacher is not None and not self.recipe.taught:
            raise TrainingError(
                f"The recipe {self.recipe.name!r} learns from no teacher. Received: teacher={self.teacher!r}. Leave it "
                "out, or take the recipe 'light'."
            )
        if self.init == "teacher" and self.teacher is None:
            raise TrainingError("There is no teacher whose weights it could begin with. Received: init='teacher'")

    def settings(self) -> dict:
        """What a run that is resumed must not change, as a checkpoint keeps it."""
        return {
            "recipe": self.recipe.name,
            "phases": self.recipe.digest,
            "design": self.design,
            "width": self.width,
            "init": self.init,
            "seed": self.seed,
            "teacher": self.teacher,
        }

    def stretches(self, samples: Sequence[Sample]) -> list[Stretch]:
        """The recipe's phases, stretched alike to the run's epochs; a phase that gets no epoch is left out.

        Example:
            >>> import numpy as np
            >>> from crowdcount.training.recipes import RECIPES
            >>> samples = [Sample(str(number), np.zeros((8, 8, 3), np.uint8), []) for number in range(8)]
            >>> stretches = Plan(RECIPES["default"], 6).stretches(samples)
            >>> [(s.phase.name, s.first, s.end, s.steps, s.before) for s in stretches]
            [('wide', 0, 4, 2, 0), ('clear', 4, 6, 2, 8)]
        """
        phases = self.recipe.phases
        ends = [round(self.epochs * done / self.recipe.epochs) for done in accumulate(phase.epochs for phase in phases)]
        parts = [
            (phase, first, end, epoch_steps(samples, phase.crops, phase.batch))
            for phase, first, end in zip(phases, [0, *ends], ends)
            if first < end
        ]
        total = sum((end - first) * steps for _, first, end, steps in parts)
        stretches, before, examples = [], 0, 0
        for phase, first, end, steps in parts:
            stretches.append(Stretch(phase, first, end, steps, before, examples, total))
            before += (end - first) * steps
            examples += (end - first) * steps * phase.batch
        return stretches


def new_plan(
    samples: Sequence[Sample],
    recipe: str | Recipe | None = None,
    epochs: int | None = None,
    design: str | None = None,
    width: float | None = None,
    init: str | None = None,
    seed: int | None = None,
    teacher: str | None = None,
) -> Plan:
    """The plan of a new run on these pictures.

    What is None is as the recipe has it, most often the paper's network from ImageNet's weights; design and width are
    those of the weights that `init` names.

    Raises:
        TrainingError: for an unknown recipe or design, no epochs, or a recipe that must go on from weights without any.
        WeightsError: where design or width are to be those of weights that are missing, damaged or no weights.
    """
    recipe = find_recipe("default" if recipe is None else recipe)
    if init not in (None, *NO_WEIGHTS) and (design is None or width is None):
        stored_design, stored_width = network_in(init)
        design = stored_design if design is None else design
        width = stored_width if width is None else width
    return Plan(
        recipe,
        recipe.epochs_for(samples) if epochs is None else epochs,
        "B" if design is None else design,
        recipe.width if width is None else width,
        ("teacher" if recipe.taught else "imagenet") if init is None else init,
        0 if seed is None else seed,
        teacher,
    )


def resumed_plan(
    state: dict,
    recipe: str | Recipe | None = None,
    epochs: int | None = None,
    design: str | None = None,
    width: float | None = None,
    init: str | None = None,
    seed: int | None = None,
    teacher: str | None = None,
) -> Plan:
    """The plan of the run that a checkpoint's state describes.

    Args:
        state: see `crowdcount.training.state.read_state`.
        recipe, design, width, init, seed, teacher: the run's own where they are None; anything else must be what it
            was.
        epochs: another number is another length of the run.

    Raises:
        TrainingError: where a setting contradicts the run's, or it has had more epochs.
    """
    if recipe is None:
        recipe = state["recipe"]
    if recipe == state["recipe"] and recipe not in RECIPES:
        raise TrainingError(f"The run was trained by a recipe of your own, {recipe!r}: give it again (recipe=).")
    found = find_recipe(recipe) if recipe == state["recipe"] or isinstance(recipe, Recipe) else None
    given = {
        "recipe": recipe if found is None else found.name,
        "design": design,
        "width": width,
        "init": init and Path(init).name,
        "seed": seed,
        "teacher": teacher and Path(teacher).name,
    }
    was = {**state, "init": Path(state["init"]).name, "teacher": Path(state.get("teacher") or "").name}
    changed = {key: (was[key], value) for key, value in given.items() if value is not None and value != was[key]}
    if found is not None and state["phases"] != found.digest:
        changed["phases of the recipe"] = (state["phases"], found.digest)
    refuse_changes(changed)
    assert found is not None  # another recipe is a change
    if epochs is not None and epochs < state["epoch"]:
        raise TrainingError(
            f"The run has {state['epoch']} epochs behind it, and weights of fewer are not kept. Received: epochs="
            f"{epochs}. Resume it with as many or more, or without a number."
        )
    return Plan(
        found,
        state["epochs"] if epochs is None else epochs,
        state["design"],
        state["width"],
        state["init"],
        state["seed"],
        state.get("teacher") if teacher is None else teacher,
    )


def refuse_changes(changed: dict[str, tuple]) -> None:
    """Raise a TrainingError where settings of a run, name -> (what it was, what it is to be), have changed."""
    if changed:
        text = ", ".join(f"{key} was {old!r}, is {new!r}" for key, (old, new) in changed.items())
        raise TrainingError(f"The run was started otherwise: {text}. Resume it as it was started, or leave these out.")
