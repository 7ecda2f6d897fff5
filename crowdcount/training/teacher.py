"""What a small network learns from a large one: the maps of the pictures that both see (distillation).

A picture's map is made once, whole and as it is, and kept in the run's folder; each crop takes its part of it, as it
takes its part of the annotation's. The small network learns from crops that are darker, hazier, softer than the picture
was when its teacher saw it.

Reference:
    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015 (arXiv 1503.02531). Liu et al.,
    "Efficient Crowd Counting via Structured Knowledge Transfer", ACM MM 2020 (arXiv 2003.10120): CSRNet of a quarter of
    the width, taught by the whole one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crowdcount.counting.scale import on_grid
from crowdcount.data.annotations import Sample
from crowdcount.errors import TrainingError
from crowdcount.files import atomic_path, size_of
from crowdcount.network.loading import shared_model
from crowdcount.network.locate import find_weights
from crowdcount.network.prediction import predict_density
from crowdcount.network.weight_files import checksum
from crowdcount.progress import bar

FOLDER = "teacher"  # in a run's folder


@dataclass(frozen=True)
class Lessons:
    """A teacher's maps, and how much of a target they are.

    Attributes:
        maps: name of a sample -> float16 (ceil(H / 8), ceil(W / 8)) of its whole picture. Pictures in which nobody is
            annotated have none: that nobody is there is known better than any network knows it.
        share: of the target, from 0 to 1; the annotation's map has the rest. Under a Poisson loss, whose gradient is
            linear in the target, this is the same as so much of a loss of each.
    """

    maps: Mapping[str, np.ndarray]
    share: float

    def mixed(self, name: str, cells: np.ndarray, own: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """The target of a whole picture.

        Args:
            name: of the sample.
            cells: the annotation's map of the picture as it is resized, NaN where nothing is known.
            own, size: height and width of the picture, and as it is resized.

        Returns:
            float32, of the shape of `cells`.

        Example:
            >>> lessons = Lessons({"a": np.full((1, 1), 3.0, np.float16)}, 0.5)
            >>> lessons.mixed("a", np.ones((1, 1), np.float32), (8, 8), (8, 8)).tolist()
            [[2.0]]
        """
        taught = self.maps.get(name)
        if taught is None:
            return cells
        # Heads of a picture of another size are as many.
        return (1 - self.share) * cells + self.share * on_grid(taught.astype(np.float32), own, size)


def digest_of(teacher: str) -> str:
    """Checksum of a teacher's weights, by its name or file.

    Raises:
        WeightsError: where there is no such network.
    """
    return checksum(find_weights(teacher))


def check_teacher(teacher: str, digest: str) -> None:
    """Find out whether a teacher is the one that the run began with.

    Raises:
        WeightsError: where it is not there.
        TrainingError: where it is another one.
    """
    if digest_of(teacher) != digest:
        raise TrainingError(
            f"The teacher {os.fspath(teacher)!r} is not the network that the run began with: its weights have changed. "
            "Begin another run, in another folder."
        )


def learn_maps(
    teacher: str, digest: str, samples: Sequence[Sample], folder: Path, *, keep: bool = True
) -> dict[str, np.ndarray]:
    """The teacher's maps of the pictures that show somebody: those that are kept, and the others from the network.

    What is killed goes on where it was. A picture is looked at as it is, whole, as in validation.

    Args:
        teacher: name or file; not looked for where all maps are there.
        digest: see `digest_of`.
        samples: to learn from; one that is among them several times is looked at once.
        folder: of the maps, a file a picture.
        keep: whether to write there: one of several processes does.

    Returns:
        See `Lessons`.

    Raises:
        WeightsError, TrainingError: see `check_teacher`.
        TrainingError: where two pictures have one name, by which their maps are known.
        PictureError: if a picture cannot be read.
        OSError: if a map cannot be written.

    Example:
        >>> nobody = Sample("nobody", np.zeros((64, 64, 3), np.uint8), [])
        >>> learn_maps("general", "", [nobody], Path("nowhere"))
        {}
    """
    _refuse_namesakes(samples)
    unique = {sample.name: sample for sample in samples if sample.count}
    files = {name: folder / f"{_key(digest, sample)}.npy" for name, sample in unique.items()}
    maps = {name: found for name, file in files.items() if (found := _kept(file)) is not None}
    missing = [sample for name, sample in unique.items() if name not in maps]
    if not missing:
        return maps
    check_teacher(teacher, digest)
    network = shared_model(teacher)
    if keep:
        folder.mkdir(parents=True, exist_ok=True)
    for sample in bar(missing, "picture", "teacher's maps", log=True):
        maps[sample.name] = predict_density(network, sample.read()).astype(np.float16)
        if keep:
            with atomic_path(files[sample.name]) as temporary, open(temporary, "wb") as file:
                np.save(file, maps[sample.name])
    return maps


def _key(digest: str, sample: Sample) -> str:
    """What a map is known by: a run that was stopped before its first checkpoint may be followed by one on others."""
    if isinstance(sample.picture, Path):
        told = repr(size_of(sample.picture))
    else:
        pixels = np.asarray(sample.picture)
        told = repr(pixels.shape) + _digits(pixels.tobytes())
    # Names of files may hold bytes that are no UTF-8.
    return _digits(f"{digest}/{sample.name}/{told}".encode("utf-8", "surrogatepass"))


def _digits(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]


def _refuse_namesakes(samples: Sequence[Sample]) -> None:
    first: dict[str, Sample] = {}
    for sample in samples:
        known, picture = first.setdefault(sample.name, sample).picture, sample.picture
        is_file = isinstance(known, Path) and isinstance(picture, Path)
        if known != picture if is_file else known is not picture:
            raise TrainingError(
                f"Two pictures have the name {sample.name!r}, and the teacher's map of one would be taught for both. "
                "Give each a name of its own: dataclasses.replace(sample, name=...)."
            )


def _kept(file: Path) -> np.ndarray | None:
    """A map that was written; None where there is none, or what there is cannot be one."""
    try:
        found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.ndim == 2 and found.dtype == np.float16 and np.isfinite(found).all() else None
