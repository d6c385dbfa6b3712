"""How the tests read a Markdown page: its blocks of commands, what they print, and the commands in its prose."""

import pytest

from tests.documents.pages import Block, begins_with_program, blocks_in

PAGE = """# A page

```bash
pappus status
```

```text
kafka ...
```

Prose.

```text
A drawing.
```

```
make demo      # a list
```

```json
{"make": "no command"}
```
"""


def test_the_text_that_follows_commands_is_what_they_print() -> None:
    first, *_ = blocks_in("a.md", PAGE)
    assert first == Block("a.md", 4, "bash", "pappus status", expected="kafka ...")


def test_a_text_after_prose_is_a_block_of_its_own() -> None:
    assert [block.text for block in blocks_in("a.md", PAGE)[1:]] == [
        "A drawing.",
        "make demo      # a list",
        '{"make": "no command"}',
    ]


def test_commands_are_what_says_so_or_begins_with_a_program() -> None:
    assert [block.is_commands for block in blocks_in("a.md", PAGE)] == [True, False, True, False]


def test_a_fence_may_say_more_than_a_language_and_hold_shorter_fences() -> None:
    (block,) = blocks_in("a.md", "````text title=x\n```bash\nmake\n```\n````")
    assert (block.language, block.text) == ("text", "```bash\nmake\n```")


def test_a_fence_that_is_not_closed_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2 is not closed"):
        blocks_in("a.md", "Text\n```bash\nmake")


@pytest.mark.parametrize(
    "line", ["pappus up", "  make demo", "A=1 B='[\"x\"]' docker compose up", "(python -m x)", "$ git pull"]
)
def test_a_command_line_is_recognised(line: str) -> None:
    assert begins_with_program(line)


@pytest.mark.parametrize("line", ["pappus/commands", "The make of it", "A=1", "", "--- make"])
def test_another_line_is_no_command(line: str) -> None:
    assert not begins_with_program(line)
