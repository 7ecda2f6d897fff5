"""Which floating point numbers the network computes with."""

from __future__ import annotations

import functools
from pathlib import Path

_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}


@functools.cache
def choose_precision() -> str:
    """`"mixed_bfloat16"` where the processor or GPU computes it in hardware, `"float32"` elsewhere.

    Where there is no such hardware bfloat16 is emulated and slower than float32.
    """
    import keras

    if keras.backend.backend() == "tensorflow" and (gpus := visible_gpus()):
        import tensorflow as tf

        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "float32"
    return "mixed_bfloat16" if _BFLOAT16_FLAGS & _processor_flags() else "float32"


def visible_gpus() -> list:
    """The GPUs that TensorFlow may use: of those of the machine a program can hide some, or all."""
    import tensorflow as tf

    return tf.config.get_visible_devices("GPU")


def multiplies_matrices() -> bool:
    """Whether the processor has units for matrix products in bfloat16 (Intel's AMX), as oneDNN's convolutions use."""
    return "amx_bf16" in _processor_flags()


@functools.cache
def _processor_flags() -> set[str]:
    """The processor's feature flags as Linux names them; none where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return set(flags.partition(":")[2].split())
