"""Training with `model.fit`, from a recipe to weights with a card: `train`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import keras

from crowdcount.counting.ranges import Calibration
from crowdcount.counting.words import PEOPLE, thing_of
from crowdcount.data.annotations import Sample, listed_samples
from crowdcount.data.checking import check_readable
from crowdcount.data.datasets import DATASETS
from crowdcount.data.specs import parse_spec
from crowdcount.errors import TrainingError
from crowdcount.files import held
from crowdcount.network.backend import set_seed
from crowdcount.network.cards import is_thing
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.locate import SUFFIX
from crowdcount.network.weight_files import save_weights
from crowdcount.training import callbacks, feeding, mining, start
from crowdcount.training.card import run_card
from crowdcount.training.devices import Devices, find_devices
from crowdcount.training.losses import KnownCells
from crowdcount.training.pipeline import check_samples
from crowdcount.training.plan import NO_WEIGHTS, Plan, Stretch, new_plan, refuse_changes, resumed_plan
from crowdcount.training.recipes import Recipe
from crowdcount.training.state import NAME, Checkpoint, check_pictures, new_state, read_state, restore_checkpoint
from crowdcount.training.teacher import FOLDER, Lessons, check_teacher, digest_of, learn_maps

BEST, LAST = f"best{SUFFIX}", f"last{SUFFIX}"


@dataclass(frozen=True)
class TrainingResult:
    """What a run left.

    Attributes:
        model: the network with its last weights (averaged ones where the recipe averages), not compiled: `compile`
            it to train on in Python, or `save` it.
        history: one dictionary an epoch, as in `history.csv`.
        best: weight file of the lowest mean log ratio on validation, `None` without validation pictures.
        last: weight file of the last epoch.
        trained: epochs that were trained now: 0 where the run that was resumed had all of its own already.
    """

    model: keras.Model
    history: list[dict]
    best: Path | None
    last: Path
    trained: int


def train(
    samples: Sequence[Sample],
    validation: Sequence[Sample] = (),
    *,
    out: str | os.PathLike,
    recipe: str | Recipe | None = None,
    resume: bool = False,
    epochs: int | None = None,
    design: str | None = None,
    width: float | None = None,
    init: str | os.PathLike | None = None,
    imagenet_file: str | os.PathLike | None = None,
    seed: int | None = None,
    teacher: str | os.PathLike | None = None,
    dataset: str | None = None,
    root: str | os.PathLike | None = None,
    command: str | None = None,
    thing: str | None = None,
    strategy: str | None = None,
) -> TrainingResult:
    """Train CSRNet on head annotations.

    `out` receives `best.weights.h5` and `last.weights.h5` with their cards, `history.csv`, TensorBoard's log and, for
    `resume`, one checkpoint that each epoch replaces. The best weights are those of the lowest mean log ratio on the
    validation pictures, see `crowdcount.measuring.metrics.log_ratio`.

    Args:
        samples: pictures to learn from.
        validation: pictures to choose the best epoch on, counted whole and never learned from.
        out: folder to write to.
        recipe: name of a recipe (`"default"`; `"clear"` or `"finish"` to go on from trained weights; `"wide"`;
            `"few"` for a few pictures of things that have no upright; `"light"` for a small network that learns from a
            `teacher`; `"paper"`), or a `Recipe` of your own, see
            `crowdcount.training.recipes`.
        resume: go on with the run whose checkpoint lies in `out`, to the result that it would have had. Its settings
            are known: what is given besides must be what it was.
        epochs: instead of the recipe's, its phases stretched alike. The learning rate decays over all of them: another
            number on resuming is another result.
        design, width: see `crowdcount.CSRNet`; where they are not given those of the weights of `init`, or else B and
            the recipe's (1, most often).
        init: `"imagenet"`, `"none"` for random weights, `"teacher"` for weights that are fitted to the teacher's (see
            `crowdcount.training.narrowing`), or the name or file of weights to start from. Not given: `"teacher"` where
            there is one; else as `"imagenet"`, but `"general"` where these cannot be had and `dataset` says that the
            pictures are your own.
        imagenet_file: see `crowdcount.CSRNet`; for a run from ImageNet's weights alone. On resuming it is not read: the
            run's weights are in its checkpoint.
        seed: of the first weights, the crops and their order; 0 where it is not given.
        teacher: name or file of the network whose maps are a part of the targets, for a recipe that has one, see
            `crowdcount.training.teacher`. Its maps are kept in `out`.
        dataset, root: name and folder that the pictures were read from by `crowdcount.load_dataset`, for the card and
            for `crowdcount train --resume`.
        command: the command line, for the card.
        thing: what the annotations mark, in the plural, for the card: captions, warnings and reports of counts speak
            of it. What the weights of `init` count where it is not given, or else the teacher; people without these.
        strategy: `"mirrored"` to train on all GPUs of this machine, `"multiworker"` on several machines, see
            `crowdcount.training.devices`; None for the device that Keras chooses. Batches are shared, and the result
            is that of one device, to rounding.

    Returns:
        A `TrainingResult`.

    Raises:
        TrainingError: where the run cannot start, be resumed, or its loss is no number any more.
        CrowdCountError: where another run is writing to `out`.
        DataError: where `samples` are empty, or these or `validation` are no samples.
        WeightsError: where the first weights are missing or do not fit.
        PictureError: where validation pictures cannot be read, before the first step of a new run.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> crowd = [Sample("a", np.zeros((64, 64, 3), np.uint8), [[20.0, 30.0]])]
        >>> result = train(crowd, out=tempfile.mkdtemp(), epochs=1, width=1 / 64, init="none")
        >>> result.last.name
        'last.weights.h5'
    """
    if thing is not None and not is_thing(thing):
        raise TrainingError(f"`thing` must be a word for what is counted. Received: thing={thing!r}")
    samples, validation = listed_samples(samples), listed_samples(validation)
    out, devices = Path(out), find_devices(strategy)
    asked: dict[str, Any] = {
        "recipe": recipe,
        "epochs": _whole(epochs),
        "design": design,
        "width": float(width) if isinstance(width, Real) and not isinstance(width, bool) else width,
        "init": _name_of("init", init),
        "seed": _whole(seed),
        "teacher": _name_of("teacher", teacher),
    }
    # Of several processes that train together the first one holds the folder.
    with held(out / NAME) if devices.chief else nullcontext():
        if resume:
            state = read_state(out)  # while nobody else writes it
            plan = resumed_plan(state, **asked)
            if thing not in (None, was := state.get("thing", PEOPLE)):
                refuse_changes({"thing": (was, thing)})
            if asked["teacher"] is not None:  # its place may be another, its name alone is compared
                check_teacher(asked["teacher"], state["teacher_sha256"])
                state["teacher"] = plan.teacher
            check_pictures(state, plan, samples, validation)
            state["epochs"] = plan.epochs
        else:
            if (out / NAME).exists():
                raise TrainingError(
                    f"{out} holds a run already. Go on with it (resume=True, --resume) or choose another folder."
                )
            if kept := [name for name in (BEST, LAST) if (out / name).exists()]:
                # They would pass for this run's until its first validation.
                raise TrainingError(
                    f"{out} holds the weights of another run: {', '.join(kept)}. Choose another folder, or move them."
                )
            plan = _begin(samples, asked, dataset, imagenet_file)
            # They are first opened after some epochs, and a picture that is replaced then makes it another run.
            check_readable(validation, "validation pictures")
            _tell_learned_from(samples, validation)
            source = {"dataset": dataset, "root": None if root is None else os.path.abspath(root), "command": command}
            source["thing"] = thing or _counted_before(plan)
            source["teacher_sha256"] = None if plan.teacher is None else digest_of(plan.teacher)
            state = new_state(plan, samples, validation, **source)
        if imagenet_file is not None and plan.init != "imagenet":
            raise TrainingError(
                f"A run from init={plan.init!r} takes nothing from ImageNet's weights. Received: imagenet_file="
                f"{os.fspath(imagenet_file)!r}. Leave it out (--imagenet-file), or begin a run with init='imagenet'."
            )
        return _Run(out, plan, state, samples, validation, imagenet_file, devices)()


def _begin(
    samples: Sequence[Sample], asked: dict, dataset: str | None, imagenet_file: str | os.PathLike | None
) -> Plan:
    """The plan of a new run, with first weights that can be had."""
    check_samples(samples)
    plan = new_plan(samples, **asked)
    if asked["init"] is not None or plan.init == "teacher":
        return plan
    init = start.first_weights(plan.design, plan.width, imagenet_file, own_data=_is_own(dataset))
    if init != plan.init:
        print(f"ImageNet's weights cannot be had: training goes on from {init!r}.", file=sys.stderr)
    return new_plan(samples, **{**asked, "init": init})


def _counted_before(plan: Plan) -> str:
    """What the weights count that a run goes on from, or else those of its teacher; people where there are none."""
    trained = [name for name in (plan.init, plan.teacher) if name not in (None, *NO_WEIGHTS)]
    return thing_of(trained[0]) if trained else PEOPLE


def _tell_learned_from(samples: Sequence[Sample], validation: Sequence[Sample]) -> None:
    """Warn of validation pictures that are among those to learn from: any epoch looks good on them."""
    learned = set(map(_identity, samples))
    both = sum(_identity(sample) in learned for sample in validation)
    if both:
        print(
            f"warning: {both} of the {len(validation)} validation pictures are learned from, too. The errors on them "
            "say nothing of other pictures: keep some apart.",
            file=sys.stderr,
        )


def _name_of(what: str, weights: Any) -> str | None:
    """Name or file of weights as text: no checkpoint's state can hold a `Path`, or a network."""
    if weights is not None and not isinstance(weights, (str, os.PathLike)):
        raise TrainingError(
            f"`{what}` is the name or the file of weights. Received: {type(weights).__name__}. Save a network first, "
            f"model.save_weights('first{SUFFIX}'), or train it on with model.fit."
        )
    return None if weights is None else os.fspath(weights)


def _whole(number: Any) -> Any:
    """Python's whole number for one of NumPy's, which no checkpoint's state can hold; all else as it is."""
    return int(number) if isinstance(number, Integral) else number


def _is_own(dataset: str | None) -> bool:
    """Whether a data set's name says that its pictures are the user's own."""
    return dataset is not None and all(name not in DATASETS for name, _, _ in parse_spec(dataset))


class _Run:
    """A run from where its state says that it is to its end."""

    def __init__(
        self,
        out: Path,
        plan: Plan,
        state: dict,
        samples: Sequence[Sample],
        validation: Sequence[Sample],
        imagenet_file: str | os.PathLike | None,
        devices: Devices,
    ):
        self.out, self.plan, self.state, self.devices = out, plan, state, devices
        self.samples, self.validation, self.imagenet_file = samples, validation, imagenet_file
        self.history = callbacks.History(out / "history.csv", state["history"])

    def __call__(self) -> TrainingResult:
        plan, first_epoch = self.plan, self.state["epoch"]
        begun = first_epoch > 0
        set_seed(plan.seed)
        with self.devices.scope():
            # Of a run that is resumed the weights are in the checkpoint.
            first = None if begun else start.build(plan, self.imagenet_file, self.samples)
            self.model = CSRNet(plan.design, plan.width) if first is None else first
        self.hard, self.lessons = self._hard_places(begun), self._lessons()
        for stretch in plan.stretches(self.samples):
            if self.state["epoch"] <= stretch.end:
                self._stretch(stretch)
        # Without the recipe's optimizer, whose rates are functions: a saved model could not name them.
        plain = CSRNet(plan.design, plan.width)
        plain.set_weights(self.model.get_weights())
        best = self.out / BEST
        trained = self.state["epoch"] - first_epoch
        return TrainingResult(plain, self.state["history"], best if best.exists() else None, self.out / LAST, trained)

    def _stretch(self, stretch: Stretch) -> None:
        """One phase, or what is left of it; its averaged weights are in the model afterwards."""
        phase, epoch = stretch.phase, self.state["epoch"]
        self.devices.check_batch(phase.batch)
        start.freeze(self.model, phase.frozen)
        with self.devices.metrics_scope():
            drift = callbacks.Drift()
            metrics = [callbacks.CropMAE(), callbacks.CropBias(), drift]
        with self.devices.scope():
            self.model.compile(
                phase.optimizer((stretch.end - stretch.first) * stretch.steps, stretch.before, stretch.total),
                self._loss(),
                metrics=metrics,
                # TensorFlow's XLA compiles anew for every size of crop, and its CPU convolutions are slower; JAX is
                # XLA.
                jit_compile=keras.backend.backend() == "jax",
            )
            self.model.optimizer.build(self.model.trainable_variables)
        if epoch > stretch.first:
            if self.state["phase"] not in (None, phase.name):
                raise TrainingError(
                    f"The run ended its epoch {epoch} in the phase {self.state['phase']!r}; with epochs="
                    f"{self.plan.epochs} that is in {phase.name!r}. Resume it with the epochs that it began with."
                )
            restore_checkpoint(self.out / NAME, self.model, drift)
        if epoch < stretch.end:
            self.state["phase"] = phase.name
            self._fit(stretch, metrics)
            self.state["epoch"] = stretch.end  # also where another process keeps the state
        if self.model.optimizer.use_ema:
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def _loss(self) -> keras.losses.Loss:
        """The recipe's loss. One of Keras or of the user's own is no number where a region leaves cells unknown."""
        loss = self.plan.recipe.loss()
        return KnownCells(loss) if any(sample.has_region for sample in self.samples) else loss

    def _fit(self, stretch: Stretch, metrics: list[keras.metrics.Metric]) -> None:
        phase, recipe, epoch = stretch.phase, self.plan.recipe, self.state["epoch"]
        done = (epoch - stretch.first) * stretch.steps
        fed = feeding.batches(
            self.samples,
            phase.crops,
            batch=phase.batch,
            first_example=stretch.examples + done * phase.batch,
            sigma=recipe.sigma,
            seed=self.plan.seed,
            hard=self.hard,
            lessons=self.lessons,
            **self.devices.feeding,
        )
        writers = self._writers(stretch, done, metrics[-1]) if self.devices.chief else []
        with fed as examples:
            self.devices.fit(
                self.model,
                examples,
                steps=stretch.steps,
                first=epoch,
                end=stretch.end,
                metrics=metrics,
                callbacks=[callbacks.StopOnNaN(), *writers],
            )

    def _writers(self, stretch: Stretch, done: int, drift: keras.metrics.Metric) -> list[keras.callbacks.Callback]:
        """What validates, keeps and shows; of several processes the chief's alone."""
        recipe, epochs = self.plan.recipe, self.plan.epochs
        return [
            callbacks.Validation(self.validation, recipe.validate_every, epochs, self._keep, self._best()),
            self.history,
            Checkpoint(self.out / NAME, self.state, drift),
            callbacks.Progress(stretch.before + done, stretch.total, epochs),
            *_tensorboard(self.out / "tensorboard"),
        ]

    def _keep(self, which: str, results: dict, calibration: Calibration | None) -> None:
        """Write the model's weights, with a card, as the best or the last ones."""
        seconds = self.state.get("looked", 0.0) + self.history.seconds()
        numbers = {"pictures": _different(self.samples), "validation": _different(self.validation)}
        card = run_card(self.plan, self.state, results, calibration, **numbers, seconds=seconds)
        if which == "best":
            self.state["best"] = results["val_log_ratio"]
        save_weights(self.model, self.out / (BEST if which == "best" else LAST), card)

    def _best(self) -> float:
        """The lowest mean log ratio so far."""
        return float("inf") if self.state["best"] is None else self.state["best"]

    def _hard_places(self, begun: bool) -> tuple[mining.HardPlaces, float] | None:
        """The places that the run's first weights have trouble with, found once and kept for resuming."""
        share, file = self.plan.recipe.hard, self.out / "hard.npz"
        if not share:
            return None
        if begun:
            return mining.load_hard_places(file, len(self.samples)), share
        began = time.monotonic()
        places = mining.find_hard_places(self.model, self.samples)
        if self.devices.chief:
            places.save(file)
        self.state["looked"] = time.monotonic() - began
        return places, share

    def _lessons(self) -> Lessons | None:
        """The teacher's maps, made once and kept for resuming."""
        teacher, digest = self.plan.teacher, self.state.get("teacher_sha256")
        if teacher is None or digest is None:
            return None
        began = time.monotonic()
        maps = learn_maps(teacher, digest, self.samples, self.out / FOLDER, keep=self.devices.chief)
        self.state["looked"] = self.state.get("looked", 0.0) + time.monotonic() - began
        return Lessons(maps, self.plan.recipe.taught)


def _different(samples: Sequence[Sample]) -> int:
    """Number of pictures, those once that stand there several times, as of `NAME*3`."""
    return len(set(map(_identity, samples)))


def _identity(sample: Sample) -> Path | int:
    """What tells a sample's picture from others: its file, or which array it is."""
    return sample.picture if isinstance(sample.picture, Path) else id(sample.picture)


def _tensorboard(folder: Path) -> list[keras.callbacks.Callback]:
    """TensorBoard's log, which Keras writes through TensorFlow: none where that is not what trains."""
    if keras.backend.backend() != "tensorflow":
        return []
    return [keras.callbacks.TensorBoard(folder, write_graph=False)]
