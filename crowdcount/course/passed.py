"""What a learner has passed, kept over restarts in one small file, with the code that passed.

The file is `~/.crowdcount/course.json`, or what the environment variable `CROWDCOUNT_PROGRESS` names: one a learner,
since the code in it is run again by `course.use`. A file that cannot be read or written never stops a notebook.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from crowdcount.files import atomic_path

FILE_VARIABLE = "CROWDCOUNT_PROGRESS"


def kept() -> dict[str, str]:
    """Exercises passed, by name, each with the code that passed; "" where there was none to keep."""
    try:
        found = json.loads(_file().read_text("utf-8"))
    except (OSError, RuntimeError, ValueError):  # no file, no home, or not what `keep` wrote
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: code for name, code in found.items() if isinstance(code, str)}


def keep(name: str, code: str) -> None:
    """Note that an exercise is passed, and by which code. What stands in the way is printed, not raised.

    Args:
        name: the exercise, such as `"02.sigmoid"`.
        code: the learner's code, "" for none; then code kept before stays.
    """
    before = kept()
    after = {**before, name: code or before.get(name, "")}
    if after == before:
        return
    try:
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as temporary:
            temporary.write_text(json.dumps(after, indent=1, sort_keys=True), "utf-8")
    except (OSError, RuntimeError) as error:
        print(f"(Your progress cannot be kept: {error}. {FILE_VARIABLE} may name another file.)")


def _file() -> Path:
    named = os.environ.get(FILE_VARIABLE)
    return Path(named) if named else Path.home() / ".crowdcount" / "course.json"
