"""What all timings share: runs in turn, medians with their spread, and the machine that they were taken on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "torch", "openvino", "onnxruntime")


@dataclass
class Table:
    """A part's result: a heading, the names of the columns, and rows of texts and numbers."""

    title: str
    columns: Sequence[str]
    rows: list[list] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        lines = [f"**{self.title}**", "", f"| {' | '.join(self.columns)} |", "|---" * len(self.columns) + "|"]
        lines += [f"| {' | '.join(map(_cell, row))} |" for row in self.rows]
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes)])

    def record(self) -> dict:
        rows = [dict(zip(self.columns, row)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": self.notes}


def _cell(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def in_turn(runs: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each, one after the other, again and again, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if repeat:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def spread(seconds: Sequence[float]) -> list[float]:
    """Median, least and most."""
    return [statistics.median(seconds), min(seconds), max(seconds)]


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """The median of theirs / ours, round by round: above 1, ours is quicker."""
    return statistics.median(their / our for their, our in zip(theirs, ours))


def machine() -> list[str]:
    """Processor, its cores and vector instructions, memory, load, and versions."""
    processor, flags = platform.processor() or platform.machine(), set()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line.partition(":") for line in cpuinfo.read_text().splitlines()]
        known = {name.strip(): value.strip() for name, _, value in reversed(lines)}
        processor, flags = known.get("model name", processor), set(known.get("flags", "").split())
    has = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} not installed")
    return [
        f"{processor}, {os.cpu_count()} cores, {', '.join(has) or 'no AVX2'}, {memory:.0f} GiB of memory",
        f"load before the first timing {os.getloadavg()[0]:.1f}",
        ", ".join(versions),
    ]
