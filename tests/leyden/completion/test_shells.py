"""The scripts, in the shells themselves: what they offer, and what they make of a line that is typed into them."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PROJECT, called, command

SCRIPTS = PROJECT / "src" / "leyden" / "completion"
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
SHELLS = ("bash", "zsh", "fish")


def shell(name: str) -> str:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return name


def environment(home: Path) -> dict[str, str]:
    """That of a user who works in the project's environment, and has no settings of his own."""
    return {
        **os.environ,
        "HOME": str(home),
        "ZDOTDIR": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "BASH_COMPLETION_USER_DIR": str(home / ".local" / "share" / "bash-completion"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT / "src"),
        "TERM": "dumb",
        "EDITOR": "",  # zsh would take the keys of vi from it
        "VISUAL": "",
    }


def offered(line: str, home: Path, *, before: str = "", asked: str = "_leyden") -> list[str]:
    """By bash, whose function is called as bash calls it."""
    words = [word for word in re.split(r"(=)|\s+", line) if word]
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""
        {before}
        . {SCRIPTS}/leyden.bash
        COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:' COMP_LINE='{line}' COMP_POINT={len(line)}
        COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
        {asked} {words[0]}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    completed = subprocess.run(
        [shell("bash"), "--norc", "-c", script], cwd=PROJECT, env=environment(home), capture_output=True, text=True
    )
    assert completed.stderr == ""
    return completed.stdout.split()


def typed(line: str, home: Path, *words: str, setup: str = ":") -> str:
    """What has become of `line`, with tabs in it, in an interactive shell. END stands where the cursor was."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        words, cwd=PROJECT, env=environment(home), stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    said = b""
    os.write(master, f"{setup}\nbecame() {{ printf '\\074%s\\076' \"$*\"; }}; printf 'RE''ADY'\n".encode())
    to_type = f"{line}END\x01became \n".encode()
    until = time.monotonic() + 60
    while not (found := re.search(rb"<(.*)>", said)) and time.monotonic() < until:
        if select.select([master], [], [], 0.1)[0]:
            said += os.read(master, 65536)
        if to_type and b"READY" in said:
            os.write(master, to_type)
            said, to_type = b"", b""
    process.kill()
    process.wait()
    os.close(master)
    assert found, said
    return found[1].decode()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("leyden ev", ["evaluate"]),
        ("leyden train optimizer.l", ["optimizer.lr="]),
        ("leyden train experiment=xo", ["xor", "xor_linear"]),
        ("leyden train optimizer=muon optimizer.n", ["optimizer.ns_steps="]),
        ("leyden train callbacks=[early_stopping,l", ["[early_stopping,lr_monitor"]),
        ("leyden train ~sched", ["~scheduler"]),
        ("leyden train +trainer.limit_tr", ["+trainer.limit_train_batches="]),
    ],
)
def test_bash_is_offered_what_comes_after_its_last_word_break(line: str, words: list[str], tmp_path: Path) -> None:
    assert offered(line, tmp_path) == words


def test_bash_completes_python_in_a_project_and_leaves_it_as_it_was_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('not of leyden')\n")
    own = "_own() { COMPREPLY=(own); }; complete -o nospace -F _own python"
    for line, words in {
        "python train.py experiment=xo": ["xor", "xor_linear"],
        f"python {PROJECT}/train.py experiment=xo": ["xor", "xor_linear"],
        "python train.p": ["own"],
        "python -m leyden exper": ["own"],
        f"python {tmp_path}/train.py exper": ["own"],
    }.items():
        assert offered(line, tmp_path, before=own, asked="_leyden_python") == words
    assert offered("python train.p", tmp_path, asked="_leyden_python") == []  # then bash offers files
    script = f"{own}; . {SCRIPTS}/leyden.bash; . {SCRIPTS}/leyden.bash; complete -p python"
    shown = subprocess.run([shell("bash"), "--norc", "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown == "complete -o nospace -F _leyden_python python\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("leyden ev", ["evaluate"]),
        ("leyden train optimizer.l", ["optimizer.lr="]),
        ("leyden train experiment=xo", ["experiment=xor", "experiment=xor_linear"]),
        ("python train.py experiment=xo", ["experiment=xor", "experiment=xor_linear"]),
        ("python train.py optimizer=muon optimizer.n", ["optimizer.ns_steps="]),
        ("python READM", ["README.md"]),
    ],
)
def test_fish(line: str, words: list[str], tmp_path: Path) -> None:
    script = f"source {SCRIPTS}/leyden.fish; complete -C '{line}'"
    completed = subprocess.run(
        [shell("fish"), "-c", script], cwd=PROJECT, env=environment(tmp_path), capture_output=True, text=True
    )
    assert [each.partition("\t")[0] for each in completed.stdout.splitlines()] == words


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("leyden train nonsense\t", "leyden train nonsenseEND"),
        ("leyden train exper\txor_\t", "leyden train experiment=xor_linear END"),
        ("leyden train optimizer.l\t", "leyden train optimizer.lr=END"),
        ('leyden train "experiment=xor_\t', "leyden train experiment=xor_linear END"),
        ("python train.py experiment=xo\t", "python train.py experiment=xorEND"),
        ("python train.py -m optimizer=adamw,s\t", "python train.py -m optimizer=adamw,sgd END"),
        ("python READ\t", "python README.md END"),
    ],
)
@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_line_that_is_typed(name: str, line: str, becomes: str, tmp_path: Path) -> None:
    words, setup = {
        "bash": (["bash", "--norc", "-i"], f". {SCRIPTS}/leyden.bash"),
        "zsh": (["zsh", "-f", "-i"], f"autoload -Uz compinit; compinit -u; . {SCRIPTS}/leyden.zsh"),
    }[shell(name)]
    assert typed(line, tmp_path, *words, setup=setup) == becomes


def install(name: str, home: Path) -> list[str]:
    completed = command("leyden", "completion", name, "install=true", **environment(home))
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.replace(str(home), "~").splitlines()


def test_bash_completion_finds_what_was_installed(tmp_path: Path) -> None:
    if not BASH_COMPLETION.is_file():
        pytest.skip("bash-completion is not installed: apt-get install bash-completion")
    assert install("bash", tmp_path)[0] == "~/.local/share/bash-completion/completions/leyden"
    install("bash", tmp_path)
    words = [shell("bash"), "--rcfile", str(BASH_COMPLETION), "-i"]
    assert typed("python3 train.py experiment=xor_\t", tmp_path, *words).endswith("=xor_linear END")
    assert typed("leyden completion z\t", tmp_path, *words).endswith("zsh END")
    assert typed("python -W igno\t", tmp_path, *words) == "python -W ignore END"  # as bash-completion does it


def test_a_completion_of_python_that_is_the_users_stays(tmp_path: Path) -> None:
    folder = tmp_path / ".local" / "share" / "bash-completion" / "completions"
    folder.mkdir(parents=True)
    (folder / "python").write_text("# mine")
    assert "~/.local/share/bash-completion/completions/python is yours, and stays" in install("bash", tmp_path)[1]
    assert (folder / "python").read_text() == "# mine"
    assert (folder / "python3").resolve() == folder / "leyden"


def test_zsh_finds_what_was_installed_by_the_line_that_is_told(tmp_path: Path) -> None:
    file, told = install("zsh", tmp_path)
    assert (file, told.partition(": ")[0]) == ("~/.zfunc/_leyden", "add to ~/.zshrc")
    (tmp_path / ".zshrc").write_text(told.partition(": ")[2])
    words = [shell("zsh"), "-i"]
    assert typed("leyden completion z\t", tmp_path, *words).endswith("zsh END")
    assert typed("python3 train.py experiment=xor_\t", tmp_path, *words).endswith("=xor_linear END")
    assert typed("python -W igno\t", tmp_path, *words) == "python -W ignore END"  # as zsh does it


def test_fish_finds_what_was_installed(tmp_path: Path) -> None:
    assert install("fish", tmp_path)[0] == "~/.config/fish/conf.d/leyden.fish"

    def shown(line: str) -> str:
        words = [shell("fish"), "-c", f"complete -C '{line}'"]
        return subprocess.run(words, cwd=PROJECT, env=environment(tmp_path), capture_output=True, text=True).stdout

    assert shown("python train.py experiment=xor_") == "experiment=xor_linear\n"
    assert shown("leyden completion z") == "zsh\n"
    assert "Warning control" in shown("python -W ign")  # as fish does it


@pytest.mark.parametrize("name", SHELLS)
def test_the_script_is_printed(name: str) -> None:
    assert called("completion", name).stdout == (SCRIPTS / f"leyden.{name}").read_text()


def test_another_shell_is_told_which_there_are() -> None:
    assert called("completion", "ksh").stderr == "error: shell=ksh: choose one of bash, zsh, fish\n"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / ".config").touch()
    completed = command("leyden", "completion", "fish", "install=true", **environment(tmp_path))
    assert completed.returncode == 1
    assert re.fullmatch(rf"error: \[Errno 20\] Not a directory: '{tmp_path}/.config/fish/.*'\n", completed.stderr)
