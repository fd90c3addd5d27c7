"""What it takes to run a training again: the code, the packages, the data and the machine that it was made of."""

import functools
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

SECRET = re.compile(r"^(\S*(?:token|secret|password|api_?key|credential)\S*=).*", re.IGNORECASE)
DIFF = ("diff", "--no-ext-diff", "--no-color", "--binary")
CODE = ("src", "configs", "train.py")
LOCK = "requirements.lock"
COPY = "code"  # where a sweep keeps a copy of the project, beside what is known of it


def provenance(project: Path, overrides: Sequence[str], seed: int | None) -> dict[str, Any]:
    """What is known before training. No environment variables, and no credentials of a git remote."""
    return {
        "command": ["python", "train.py", *(SECRET.sub(r"\1***", word) for word in overrides)],
        "seed": seed,
        "code": _code(project),
        "lock": _checksum(project / LOCK),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": _packages(),
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line for each package, and for the code, the lock file and the data, in which two provenances differ."""
    lines = []
    if before.get("code", {}).get("sha256") != now.get("code", {}).get("sha256"):
        commits = [_commit(side.get("code", {})) for side in (before, now)]
        lines.append(f"code: {commits[0]} then, {commits[1]} now")
    for name in sorted({*before.get("packages", {}), *now.get("packages", {})}):
        versions = [side.get("packages", {}).get(name, "none") for side in (before, now)]
        if versions[0] != versions[1]:
            lines.append(f"package {name}: {versions[0]} then, {versions[1]} now")
    for key in ("python", "lock", "data"):
        values = [side.get(key) for side in (before, now)]
        if values[0] != values[1] and key in before and key in now:
            lines.append(f"{key}: {values[0]} then, {values[1]} now")
    return lines


@functools.cache
def code_checksum(project: Path) -> str:
    """SHA-256 over the names and contents of the project's code and configs, tracked by git or not.

    Taken once in a process: it is the code that this process has begun with.
    """
    digest = hashlib.sha256()
    for top in CODE:
        folder = project / top
        files = [folder] if folder.is_file() else sorted(folder.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts and ".egg-info" not in str(file):
                digest.update(f"{file.relative_to(project).as_posix()}\0".encode())
                digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


@functools.cache
def uncommitted_changes(project: Path) -> str:
    """A patch from the last commit to the code as it is, new files included; empty where there is none, or no git."""
    if _of_copied(project):
        kept = project.parent / "uncommitted.patch"
        return kept.read_text() if kept.is_file() else ""
    patch = _git(project, *DIFF, "HEAD", "--", *CODE)
    for name in _git(project, "ls-files", "--others", "--exclude-standard", "--", *CODE).splitlines():
        patch += _git(project, *DIFF, "--no-index", "--", os.devnull, name)
    return patch


def _code(project: Path) -> dict[str, Any]:
    checksum = code_checksum(project)
    original = _of_copied(project).get("code")
    if not original:
        return {"sha256": checksum, **_git_state(project)}
    by_hand = {} if checksum == original["sha256"] else {"sha256": checksum, "dirty": True}  # in the copy
    return {**original, **by_hand}


def _of_copied(project: Path) -> dict[str, Any]:
    """What a sweep knows of the project that it has copied; nothing of a project that is no copy."""
    sweep = project.parent
    if project.name != COPY or not (sweep / "multirun.yaml").is_file():
        return {}
    facts: dict[str, Any] = json.loads((sweep / "provenance.json").read_text())
    return facts


def _git_state(project: Path) -> dict[str, Any]:
    commit = _git(project, "rev-parse", "HEAD").strip()
    if not commit:
        return {"commit": None, "dirty": None, "remote": None}
    remote = _git(project, "config", "--get", "remote.origin.url").strip()
    return {
        "commit": commit,
        "dirty": bool(uncommitted_changes(project)),
        "remote": without_credentials(remote) or None,
    }


def without_credentials(url: str) -> str:
    """The address without a user name or a token."""
    if "://" not in url:
        return url.rpartition("@")[2]
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _git(project: Path, *words: str) -> str:
    """What git prints; nothing where there is no git, or where `project` is no repository."""
    try:
        completed = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *words], cwd=project, capture_output=True, check=False
        )
    except OSError:
        return ""
    return completed.stdout.decode(errors="replace")


def _commit(code: Mapping[str, Any]) -> str:
    commit = (code.get("commit") or code.get("sha256") or "unknown")[:10]
    return f"{commit} with uncommitted changes ({code['sha256'][:6]})" if code.get("dirty") else str(commit)


def _checksum(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def _packages() -> dict[str, str]:
    """Versions by name, as the folders say that are installed beside packages (PEP 376): reading what is in them takes
    0.1 s."""
    folders = [folder for path in sys.path for folder in Path(path).glob("*-*.dist-info")]
    parts = sorted(folder.stem.rsplit("-", 1) for folder in folders)
    return {name.lower().replace("_", "-"): version for name, version in parts}
