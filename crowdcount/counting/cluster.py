"""Counting by several workers, on this machine or on a Ray cluster: each keeps its network and counts what is left.

Ray Data gives the pictures out in small blocks. Where a worker dies, Ray starts another one and gives it the block
again, so a result comes back once for each picture.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from crowdcount.counting.pictures import Counter
from crowdcount.counting.ranges import COVERAGE
from crowdcount.counting.scale import check_scale
from crowdcount.errors import CrowdCountError, DataError, first_line, needing
from crowdcount.network.locate import find_weights, model_names

_BLOCK = 16  # pictures that are given out, and come back, together


def count_by_workers(
    pictures: Sequence[str],
    model: str = "general",
    *,
    workers: int,
    coverage: float = COVERAGE,
    scale: float | None = None,
    page: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Count pictures by several workers of Ray, going on after those that fail.

    The cluster is the one that the environment variable `RAY_ADDRESS` names, or else this machine. Pictures and weights
    must have the same path on all machines, and crowdcount be installed on each.

    Args:
        pictures: their paths.
        model: name of a network that comes with the package, or a file.
        workers: processes that keep a network each; they share the cores, and the GPUs where there are any.
        coverage, scale, page: see `crowdcount.count_many`.

    Yields:
        For each picture, in the order in which they are ready, what `to_dict` of a `CountResult` gives, or of a
        `CountFailure`.

    Raises:
        MissingPackageError: if Ray is not installed.
        CrowdCountError: if its cluster cannot be reached.
        WeightsError: if there is no such network.
        DataError: for a scale out of its range, or more workers than cores.
    """
    find_weights(model)
    # Workers of a cluster are in the folder that it was started in.
    place = model if model in model_names() else os.path.abspath(model)
    if scale is not None:
        check_scale(scale)
    ray = _connect()
    resources = ray.cluster_resources()
    cores = int(resources.get("CPU", 1)) // workers
    if cores < 1:
        raise DataError(f"Each worker needs a core; there are {resources['CPU']:.0f}. Received: workers={workers}")
    paths = [{"picture": picture, "path": os.path.abspath(picture)} for picture in pictures]
    # One after the other: Ray's own progress bars would stand between the lines of results.
    ray.data.DataContext.get_current().enable_progress_bars = False
    found = ray.data.from_items(paths, override_num_blocks=-(-len(paths) // _BLOCK)).map_batches(
        _Worker,
        fn_constructor_args=(model, place, coverage, scale, page, cores),
        batch_size=_BLOCK,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=cores,
        num_gpus=resources.get("GPU", 0) / workers,
    )
    for row in found.iter_rows():
        yield json.loads(row["result"])


def _connect():
    with needing("Several workers need Ray", '".[ray]"'):
        import ray
        import ray.data

    if not ray.is_initialized():
        own = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", **own)
        except Exception as error:  # Ray raises whatever it met, also bare exceptions
            address = os.environ.get("RAY_ADDRESS")
            raise CrowdCountError(
                f"Ray cannot be started or reached ({first_line(error)}). Received: RAY_ADDRESS={address!r}. "
                "Without it Ray is started on this machine."
            ) from None
    return ray


class _Worker:
    """A network that stays loaded; batches of paths in, batches of results out, as JSON: they differ in their keys."""

    def __init__(self, model: str, place: str, coverage: float, scale: float | None, page: int | None, cores: int):
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.threading.set_intra_op_parallelism_threads(cores)
        self.counter = Counter(place, coverage, scale, "rgb", page, progress=False)
        self.counter.name = model

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        rows = []
        for picture, path in zip(batch["picture"], batch["path"]):
            row = self.counter.tried(str(path)).to_dict()
            rows.append(json.dumps({**row, "picture": str(picture)}))
        return {"result": rows}
