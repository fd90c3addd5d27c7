"""How the words of a command are written, before anybody looks up what they name."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser

from leyden.config.mistakes import Mistake
from leyden.nearest import joined, nearest, or_such

# By their names, with what Hydra's parser knows of them; but for the one that unpickles a file.
FLAGS = {
    name: action
    for action in get_args_parser()._actions
    for name in action.option_strings
    if name != "--experimental-rerun"
}
ASKING = ("--cfg", "-c", "--info", "-i", "--shell-completion", "-sc", "--run", "-r")
SEVERAL = ("-m", "--multirun")
# Of Hydra's grammar, and how each is written.
FUNCTIONS = {
    "choice": "choice(a,b,c)",
    "range": "range(start,stop,step), of numbers",
    "interval": "interval(low,high), of numbers",
    "glob": "glob(*)",
    "sort": "sort(3,1,2)",
    "shuffle": "shuffle(1,2,3)",
    "tag": "tag(name,interval(low,high))",
    **{name: f"{name}(value)" for name in ("int", "float", "str", "bool", "json_str")},
    "extend_list": "extend_list(a,b)",
}
# Quotes and dashes of a text processor: “ ” „ and the single ones, then en dash, em dash and the minus sign.
TYPOGRAPHIC = str.maketrans(
    dict(zip("\u201c\u201d\u201e\u2018\u2019\u2013\u2014\u2212", [*'"""', *"''", "-", "--", "-"], strict=True))
)
CLOSING = {"[": "]", "(": ")", "{": "}"}


def spelt(words: Sequence[str], configs: Path) -> tuple[list[str], list[Mistake]]:
    """The words as they were probably meant, and what is wrong with how they are written."""
    rest, good, mistakes = list(words), list[str](), list[Mistake]()
    while rest:
        if mistake := _misspelt(rest, configs):
            mistakes.append(mistake)
            good += mistake.instead or ()
            del rest[: len(mistake.words)]
        else:
            length = _length(rest)
            good += rest[:length]
            del rest[:length]
    overrides, flags = flags_apart(good)
    twice = list(_left_out_twice(overrides))
    for mistake in twice:
        good.remove(*mistake.words)
    return good, [*mistakes, *_contradicting(flags), *twice]


def _length(words: Sequence[str]) -> int:
    """How many words the first of them is: a flag has its value with it."""
    flag = FLAGS.get(words[0])
    if flag is None or flag.nargs == 0 or len(words) == 1:
        return 1
    return 2 if flag.nargs is None or words[1] in (flag.choices or ()) else 1


def _contradicting(flags: Sequence[tuple[str, ...]]) -> Iterator[Mistake]:
    given = {flag[0].partition("=")[0]: flag for flag in flags}
    asked, several = [name for name in given if name in ASKING], [name for name in given if name in SEVERAL]
    for name in asked[1:]:
        yield Mistake(given[name], f"{joined(asked)}: only one of them is answered at a time", ())
    if asked and several:
        what = (
            f"{asked[0]}: shows the config of one run, not of a sweep: leave {several[0]} out, with one value of a key"
        )
        yield Mistake((several[0],), what, ())
    for name in given:
        if name in ("--resolve", "--package", "-p") and not given.keys() & {"--cfg", "-c", "--help", "-h"}:
            what = f"{name}: says how --cfg job shows the config, and is nothing without it"
            yield Mistake(given[name], what, ("--cfg", "job", *given[name]))


def _left_out_twice(overrides: Sequence[str]) -> Iterator[Mistake]:
    """What Hydra trips over; of a key that is set twice the last value counts, as in `train.py $DEFAULTS "$@"`."""
    left_out = [word for word in overrides if word.startswith("~")]
    for word in sorted({word for word in left_out if left_out.count(word) > 1}):
        yield Mistake((word,), f"{word} {word}: {word} is given twice", ())


def _misspelt(words: Sequence[str], configs: Path) -> Mistake | None:
    """What is wrong with the first of the words; the others tell whether the shell has split it."""
    word = words[0]
    following = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
    if not re.search(r"\w", word):
        return Mistake((word,), f"'{word}': names nothing", ())
    plain = word.translate(TYPOGRAPHIC)
    if plain != word and (word[0] in "\u2013\u2014\u2212" or re.search("[\u201c\u201d\u201e\u2018\u2019]", word)):
        what = f"{word}: its quotes or dashes are those of a text processor"
        return Mistake((word,), what, (plain.strip("'\"") if plain[0] in "'\"" else plain,))
    if word.startswith("-"):
        return _wrong_flag(words, following)
    key, equals, text = word.partition("=")
    if not equals and word[0] != "~":
        return _without_equals(word, following, words, configs)
    if not re.search(r"\w", key):
        return Mistake((word,), f"{word}: there is no key before the equals sign")
    if key != key.strip() or (text != text.strip() and not text.strip().startswith(("'", '"'))):
        what = f"{word}: has spaces around its key or its value"
        return Mistake((word,), what, (f"{key.strip()}={text.strip()}",))
    tidy = re.sub(r"(?<=[./])[./]+|[./]+$", "", re.sub(r"^(\+\+?|~)?[+~./]*", r"\1", key))
    if tidy != key:
        return Mistake((word,), f"{word}: {key} is no name of a key", (f"{tidy}{equals}{text}",))
    if not text and following and equals and "=" not in following and following[0] not in "+~":
        return _spaced(word, following)
    if key == "name" and text and following and _is_plain(following) and _missing(text) == "":
        parts = [word, *itertools.takewhile(_is_plain, words[1:])]
        whole = " ".join(parts)
        return Mistake(tuple(parts), f"{whole}: the shell splits it at its spaces", (whole,))
    if text.startswith("="):
        return Mistake((word,), f"{word}: one equals sign is enough", (f"{key}={text.lstrip('=')}",))
    if leads_out(word, configs):
        what = f"{word}: must be a plain name, with no way out of the folder that it is looked for in"
        return Mistake((word,), what)
    return _unbalanced(words) or _unreadable(word, following)


def _spaced(*words: str) -> Mistake:
    return Mistake(words, f"{' '.join(words)}: an override has no spaces", ("".join(words),))


def _is_plain(word: str) -> bool:
    return "=" not in word and word[:1] not in "+~-"


def _wrong_flag(words: Sequence[str], following: str) -> Mistake | None:
    word = words[0]
    flag, equals, value = word.partition("=")
    if flag in FLAGS:
        known = FLAGS[flag]
        if known.nargs == 0:
            return Mistake((word,), f"{word}: takes no value", (flag,)) if equals else None
        shown = [value] if equals else list(words[1 : _length(words)])
        if known.nargs == "?" and not shown:
            return None
        if (choices := list(known.choices or ())) and not set(shown) & set(choices):
            meant = nearest(shown[0], choices) if shown else choices[:1]
            what = f"{' '.join([flag, *shown])}: shows {joined(choices, 'or')}{or_such(meant)}"
            return Mistake((word, *([] if equals else shown)), what, (flag, meant[0]) if meant else None)
        return None if shown else Mistake((word,), f"{word}: must be followed by a value")
    name = flag.lstrip("-")
    flags = nearest(word, [flag for flag in FLAGS if flag.startswith("--")]) if not equals else []
    if flags and (not following or "=" in following):
        return Mistake((word,), f"{word}: no such flag{or_such(flags)}", (flags[0],))
    what = f"{word}: no such flag; overrides are written without dashes: {name}=..."
    if equals:
        return Mistake((word,), what, (word.lstrip("-"),))
    if following and "=" not in following:
        return Mistake((word, following), what, (f"{name}={following}",))
    return Mistake((word,), what)


def _unreadable(word: str, following: str) -> Mistake | None:
    """What Hydra's grammar makes no sense of, whatever the key is."""
    key, _, text = word.partition("=")
    several = re.split(r"\s+(?=[+~]*[\w./@]+=)", word)
    if len(several) > 1 and all(_missing(each) == "" for each in several):
        return Mistake((word,), f"{word}: quotes are put around each override", tuple(several))
    if text.endswith(",") and following and "=" not in following:
        return _spaced(word, following)
    if not re.search("['\"]", text) and (fewer := re.sub(r",\s*(?=[\]})]|$)", "", text)) != text:
        return Mistake((word,), f"{word}: nothing comes after its last comma", (f"{key}={fewer}",))
    called = re.fullmatch(r"(\w+)(\(.*\))", text)
    if called and called[1] not in FUNCTIONS and (meant := nearest(called[1], FUNCTIONS)):
        return Mistake((word,), f"{word}: no such function{or_such(meant)}", (f"{key}={meant[0]}{called[2]}",))
    return None


def _without_equals(word: str, following: str, words: Sequence[str], configs: Path) -> Mistake:
    """The shell has split it, or something else than `=` stands between key and value, or it is an option alone."""
    if following == "=" and len(words) > 2:
        return _spaced(*words[:3])
    if following.startswith("=") and len(following) > 1:
        return _spaced(word, following)
    what = f"{word}: an override is GROUP=OPTION or KEY=VALUE"
    files = sorted(configs.glob("*/*.yaml"), key=lambda file: (file.parent.name == "experiment", file))  # these win
    options = {file.stem: f"{file.parent.name}={file.stem}" for file in files}
    key, colon, text = word.partition(":")
    if colon and key and text:
        return Mistake((word,), what, (f"{key}={text}",))
    is_key = (configs / key).is_dir() or "." in key or key not in options
    if following and "=" not in following and (colon or is_key):
        return Mistake((word, following), f"{what}, with no space", (f"{key}={following}",))
    if len(parts := re.split(r"[/.]", word)) == 2 and (configs / parts[0] / f"{parts[1]}.yaml").is_file():
        return Mistake((word,), f"{what}, did you mean {'='.join(parts)}?", ("=".join(parts),))
    meant = [options[name] for name in nearest(word, options)]
    return Mistake((word,), f"{what}{or_such(meant)}", (meant[0],) if meant else None)


def _unbalanced(words: Sequence[str]) -> Mistake | None:
    """A bracket or a quote that is not closed, or closed once too often."""
    word = words[0]
    key, _, text = word.partition("=")
    missing = _missing(text)
    if missing == "":
        return None
    for count in range(2, len(words) + 1):
        whole = " ".join(words[:count])
        if _missing(whole.partition("=")[2]) == "":
            what = f"{whole}: the shell splits it at its spaces"
            return Mistake(tuple(words[:count]), what, (re.sub(r"([,:\[{(]) +", r"\1", whole),))
    if missing is None:
        closed = text
        while closed and _missing(closed) is None:
            closed = closed[:-1]
        return Mistake((word,), f"{word}: closes more brackets than it opens", (f"{key}={closed}",))
    if missing == ")" and not set(re.findall(r"(\w+)\(", text)) & FUNCTIONS.keys():
        return Mistake((word,), f"{word}: a value with a bracket in it is put in quotes", (f"{key}='{text}'",))
    if missing in ("'", '"') and text[0] != missing:
        other = {"'": '"', '"': "'"}[missing]
        return Mistake(
            (word,), f"{word}: a value with a quote in it is put in quotes", (f"{key}={other}{text}{other}",)
        )
    return Mistake((word,), f"{word}: {missing} is missing at its end", (f"{word}{missing}",))


def _missing(text: str) -> str | None:
    """What would close all that is open in `text`; None where more is closed than was opened."""
    open_: list[str] = []
    quote, escaped = "", False
    for letter in text:
        if quote or escaped:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
        elif letter in "'\"":
            quote = letter
        elif letter == "\\":
            escaped = True
        elif letter in CLOSING:
            open_.append(CLOSING[letter])
        elif letter in CLOSING.values() and (not open_ or open_.pop() != letter):
            return None
    return quote + "".join(reversed(open_))


def leads_out(word: str, configs: Path) -> bool:
    """Whether what should name a file of `configs`, or a folder of logs/, is a path to somewhere else."""
    key, _, value = word.partition("=")
    key = key.lstrip("+~").partition("@")[0]
    if key != "name" and not (configs / key).is_dir():
        return False
    paths = [Path(part.strip("'\" ")) for part in value.strip("[]'\"").split(",")]
    return any(path.is_absolute() or ".." in path.parts for path in paths)


def flags_apart(words: Sequence[str]) -> tuple[list[str], list[tuple[str, ...]]]:
    """The overrides, and the flags with their values."""
    rest, overrides, flags = list(words), list[str](), list[tuple[str, ...]]()
    while rest:
        length = _length(rest)
        if rest[0].startswith("-"):
            flags.append(tuple(rest[:length]))
        else:
            overrides.append(rest[0])
        del rest[:length]
    return overrides, flags
