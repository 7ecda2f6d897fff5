"""What can be known of the Dockerfile without Docker: what it copies is there, who runs, what is run and where."""

import fnmatch
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from crowdcount.cli import main

CHECKOUT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (CHECKOUT / "Dockerfile").is_file(), reason="the Dockerfile is in a checkout only")


@pytest.fixture(scope="module")
def stages():
    """The instructions of each stage, [(instruction, arguments)], with continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (CHECKOUT / "Dockerfile").read_text("utf-8"))
    found = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip():
            continue
        name, rest = line.split(None, 1)
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest.strip()))
    return found


def only(stage, name):
    (value,) = (rest for each, rest in stage if each == name)
    return value


@pytest.fixture(scope="module")
def sent():
    """The files of git that a build is sent, by .dockerignore: the last line that fits a file decides."""
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout of git")
    rules = (CHECKOUT / ".dockerignore").read_text("utf-8").split()

    def kept(name):
        parts = Path(name).parts
        tops = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        decided = [rule for rule in rules if any(fnmatch.fnmatch(top, rule.lstrip("!")) for top in tops)]
        return decided[-1].startswith("!")

    return [name for name in listed.stdout.splitlines() if kept(name)]


def test_what_is_copied_is_in_git_and_is_sent(stages, sent):
    for stage in stages:
        for name, rest in stage:
            if name == "COPY" and "--from" not in rest:
                *sources, _ = rest.split()
                assert all(source == "." or source in sent for source in sources), rest
    needed = {"setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "crowdcount/web/static/app.html"}
    assert needed <= set(sent)
    assert "weights/general.weights.h5" in sent and "weights/general.json" in sent
    assert not [name for name in sent if name.startswith(("tests/", "notebooks/", "docs/"))]


def test_what_is_installed_first_is_what_setup_cfg_names(stages):
    run = next(rest for name, rest in stages[0] if name == "RUN")
    words = shlex.split(run.split("> needed.txt")[0])
    code = words[words.index("-c") + 1]
    text = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    lines = [line.split(";")[0].strip() for line in text.splitlines() if line.strip()]
    names = {re.match(r"[\w-]+", line)[0] for line in lines}
    assert {"tensorflow-cpu", "tensorflow", "starlette", "uvicorn", "pillow"} <= names
    assert not any("crowdcount" in name for name in names), "an extra of ours cannot be had from a package index"


class Listening(Exception):
    """Instead of a server."""


def test_it_runs_our_page_as_nobody_in_particular_on_the_port_that_it_exposes(stages, monkeypatch):
    pytest.importorskip("uvicorn", reason="the page needs pip install '.[app]'")
    last = stages[-1]
    assert only(last, "USER") not in ("root", "0")
    names = [name for name, _ in last]
    assert names.index("USER") < names.index("CMD")
    name, *arguments = json.loads(only(last, "CMD"))
    assert name == "crowdcount" and "--no-browser" in arguments

    def listen(*place):
        raise Listening(*place)

    monkeypatch.setattr("crowdcount.web.serve.listen", listen)
    with pytest.raises(Listening) as begun:
        main(arguments)
    host, port = begun.value.args
    assert host == "0.0.0.0" and str(port) == only(last, "EXPOSE")
    assert f"127.0.0.1:{port}/healthz" in only(last, "HEALTHCHECK")
    for place in ("README.md", "docs/app.md", "Dockerfile"):
        assert f"docker run --rm -p 127.0.0.1:{port}:{port} crowdcount" in (CHECKOUT / place).read_text("utf-8")
