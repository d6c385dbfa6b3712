"""Whether what a page tells people to type exists: commands of `pappus` and their options, targets of make, modules."""

import re
import shlex
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import typer
from typer.exceptions import TyperException

from pappus.cli import app
from tests.documents.pages import ROOT

COMMAND: Any = typer.main.get_command(app)
_RULES = re.findall(r"^([a-z][a-z -]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
TARGETS = frozenset(name for rule in _RULES for name in rule.split())
FILTERS = ("grep", "jq", "head", "tail", "less", "sort", "wc")
"""After a bar these words are programs, and no alternatives."""
KEYWORDS = frozenset(("if", "then", "until", "while", "do", "!", "time", "exec"))

_ASSIGNMENT = re.compile(r"^\w+=")
_EXPLAINED = re.compile(r"\s{2,}|\s#")
_INSIDE = re.compile(r"\$\(([^()]*)\)")
_OPERATOR = re.compile(r"^[();<>|&]+$")


def errors_in_script(text: str) -> list[str]:
    """Return a sentence for each command in a block of bash that the real parser does not take as it stands."""
    found: list[str] = []
    for words in _commands(text):
        try:
            if words[0] == "pappus":
                _parse(words[1:])
            elif words[0] == "make":
                found += _wrong_targets(words[1:])
            elif words[0].endswith("python") and words[1:2] == ["-m"]:
                found += _wrong_module(words[2])
        except TyperException as error:
            found.append(f"{' '.join(words)}: {_message(error)}")
    return found


def errors_in_usage(line: str) -> list[str]:
    """Return a sentence for each thing that is wrong in a line such as `pappus keys add NAME [--per-minute N] | ls`.

    Alternatives stand between bars and share what is before the first word in which they differ; what follows two
    spaces explains.
    """
    text = _EXPLAINED.split(line.strip().lstrip("("), maxsplit=1)[0]
    if "&&" in text:
        return errors_in_script(text)
    if text.startswith("make "):
        return _wrong_targets(shlex.split(text)[1:])
    if text.startswith("python -m "):
        return _wrong_module(text.split()[2])
    if not text.startswith("pappus "):
        return []
    if re.search(rf"\|\s*({'|'.join(FILTERS)})\b", text):
        return errors_in_script(text)
    first, *others = re.split(r"\s\|\s", text.removeprefix("pappus "))
    path, command = _descend([], first.split())
    if not path:
        return [f"{text}: there is no command {first.split()[0]}."]
    found = _wrong_words(text, command, first.split()[len(path) :])
    for other in others:
        beside, command = _descend(path[:-1], other.split())
        if len(beside) < len(path):
            found.append(f"{text}: there is no command {other.split()[0]}.")
            continue
        found += _wrong_words(text, command, other.split()[len(beside) - len(path) + 1 :])
    return found


def _descend(path: Sequence[str], words: Sequence[str]) -> tuple[list[str], Any]:
    """Return the names of the commands that `path` and then `words` lead to, as far as they are some, and the last."""
    names, command = list[str](), COMMAND
    for word in (*path, *words):
        below = getattr(command, "commands", {}).get(word)
        if below is None:
            break
        names.append(word)
        command = below
    return names, command


def _wrong_words(text: str, command: Any, words: Sequence[str]) -> list[str]:
    """Return what is wrong with the options and arguments of one command in a usage."""
    if hasattr(command, "commands"):
        return [f"{text}: {words[0]} is no command of {command.name}."] if words else []
    options = {name: each for each in command.params for name in (*each.opts, *each.secondary_opts)}
    room = sum(float("inf") if each.nargs < 0 else each.nargs for each in command.params if _is_argument(each))
    value_follows = False
    for word in (word.strip("[]").removesuffix("...") for word in words):
        if value_follows or not word:
            value_follows = False
        elif word.startswith("-") and word not in options:
            return [f"{text}: {command.name} has no option {word}."]
        elif word.startswith("-"):
            value_follows = not options[word].is_flag
        else:
            room -= 1
    return [] if room >= 0 else [f"{text}: {command.name} takes fewer arguments."]


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _message(error: TyperException) -> str:
    """Return what the command would print."""
    return str(getattr(error, "format_message", error.__str__)())


def _parse(words: Sequence[str]) -> None:
    """Parse a command line, as the command itself would, and do nothing. Raises TyperException."""
    command, context, name, rest = COMMAND, None, "pappus", list(words)
    while hasattr(command, "commands"):
        context = command.make_context(name, rest, parent=context)
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    command.make_context(name, rest, parent=context)


def _wrong_targets(words: Sequence[str]) -> list[str]:
    targets = [word for word in words if "=" not in word and not word.startswith("-")]
    return [f"make {target}: the Makefile has no such target." for target in targets if target not in TARGETS]


def _wrong_module(name: str) -> list[str]:
    """Return a sentence if there is no such module to run; words that are no name (`...`) stand for others."""
    if not re.fullmatch(r"\w+(\.\w+)*", name):
        return []
    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = find_spec(f"{name}.__main__")
    except ModuleNotFoundError:
        spec = None
    return [] if spec is not None else [f"python -m {name}: there is no such module to run."]


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in a block of bash, those in $(...) included."""
    pending = ""
    for line in text.splitlines():
        pending = f"{pending}\n{line}" if pending else line
        if pending.endswith("\\"):
            pending = pending.removesuffix("\\")
            continue
        whole = pending
        while inner := _INSIDE.search(whole):
            yield from _commands(inner[1])
            whole = f"{whole[: inner.start()]}VALUE{whole[inner.end() :]}"
        try:
            tokens = _tokens(whole)
        except ValueError:  # a quotation that goes on in the next line
            continue
        pending = ""
        words: list[str] = []
        for token in [*tokens, ";"]:
            if not _OPERATOR.match(token):
                words.append(token)
                continue
            yield from _without_prefix(words)
            words = []
    if pending:
        raise ValueError(f"A quotation is not closed: {pending}")


def _tokens(line: str) -> list[str]:
    """Return words and operators of a line. Raises ValueError if a quotation is not closed."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def _without_prefix(words: list[str]) -> Iterator[list[str]]:
    """Yield the words from the program on, if there is one."""
    while words and (words[0] in KEYWORDS or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    if words:
        yield words
