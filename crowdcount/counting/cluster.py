"""Counting by several workers, on this machine or on a Ray cluster: each keeps its network and counts what is left.

Ray Data gives the pictures out in small blocks. Where a worker dies, Ray starts another one and gives it the block
again, so a result comes back once for each picture.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
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
        CrowdCountError: if its cluster cannot be reached, or its workers end, as those do whose weights are damaged.
        WeightsError: if there is no such network.
        DataError: for a scale out of its range, a number of workers that is none, or more of them than cores.
    """
    if not isinstance(workers, Integral) or workers < 1:
        raise DataError(f"workers must be a whole number, 1 or more. Received: workers={workers!r}")
    find_weights(model)
    # Workers of a cluster are in the folder that it was started in.
    place = model if model in model_names() else os.path.abspath(model)
    if scale is not None:
        check_scale(scale)
    if not pictures:
        return
    ray = _connect()
    cores, gpus = _share([node["Resources"] for node in ray.nodes() if node["Alive"]], workers)
    paths = [{"picture": picture, "path": os.path.abspath(picture)} for picture in pictures]
    # Ray's own progress bars, plans and traces would stand between the lines of results.
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    found = ray.data.from_items(paths, override_num_blocks=-(-len(paths) // _BLOCK)).map_batches(
        _Worker,
        fn_constructor_args=(model, place, coverage, scale, page, cores),
        batch_size=_BLOCK,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=cores,
        num_gpus=gpus,
    )
    try:
        for row in found.iter_rows():
            yield json.loads(row["result"])
    except Exception as error:  # Ray raises what became of its workers as exceptions of many kinds
        raise CrowdCountError(
            f"Ray's workers have ended ({_what_happened(error)}). Count a picture without --workers: if that goes "
            "well, look at Ray's machines and their memory."
        ) from error


def _what_happened(error: Exception) -> str:
    """What a worker met, in a line, out of the traces that Ray puts around it.

    Example:
        >>> _what_happened(RuntimeError("It died:\\n  File 5\\ncrowdcount.errors.WeightsError: a.h5 is cut off."))
        'a.h5 is cut off.'
    """
    own = [line for line in str(error).splitlines() if line.startswith("crowdcount.errors.")]
    return own[-1].partition(": ")[2] if own else first_line(error)


def _share(machines: Sequence[Mapping[str, float]], workers: int) -> tuple[int, float]:
    """Cores and GPUs of each worker, so many that all of them find a place: a worker is on one machine.

    Ray waits without a word for what no machine has. A worker counts on one GPU, whole where there are enough.

    Args:
        machines: of each, how many `"CPU"` and `"GPU"` it has.
        workers: how many.

    Raises:
        DataError: for more workers than cores.

    Example:
        >>> _share([{"CPU": 8.0, "GPU": 1.0}, {"CPU": 2.0, "GPU": 1.0}], 2), _share([{"CPU": 8.0}] * 3, 2)
        ((2, 1.0), (8, 0.0))
    """
    with_gpus = [machine for machine in machines if machine.get("GPU", 0) >= 1]
    cores = [int(machine.get("CPU", 0)) for machine in with_gpus or machines]
    gpus = [int(machine["GPU"]) for machine in with_gpus]
    if sum(cores) < workers:
        where = " on a machine with a GPU" if gpus else ""
        raise DataError(f"Each worker needs a core{where}; there are {sum(cores)}. Received: workers={workers}")
    each, sharing = next(
        (each, sharing)
        for sharing in range(1, workers + 1)
        for each in range(max(cores), 0, -1)
        if sum(min(own // each, sharing * most) for own, most in zip(cores, gpus or cores)) >= workers
    )
    # Ray rounds to ten-thousandths: seven sevenths would be more than a GPU.
    return each, 10_000 // sharing / 10_000 if gpus else 0.0


def _connect():
    with needing("Several workers need Ray", '".[ray]"'):
        import ray
        import ray.data

    if not ray.is_initialized():
        # Without an address Ray would look for a cluster that was once begun here, and wait for one that died.
        own = {} if os.environ.get("RAY_ADDRESS") else {"address": "local", "include_dashboard": False}
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
        # Workers may share a GPU, whose memory the first would take whole otherwise.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
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
