"""Every command and program of the README and docs/ runs, or states why not."""

from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, RUNNABLE, Block, blocks, languages
from tests.docs.checkout import ROOT, copy_checkout
from tests.docs.session import Session, agrees
from tests.programs import missing

_PROGRAMS = ("curl", "git", "make")
"""Programs that some pages assume and some machines lack."""

PAGE = """
<!-- not run: needs a GPU -->
```sh
docker compose up
```

<!-- shortened: 500 -> 2 -->
```sh
count 500
```
<!-- output -->
```text
2 in ... s
```

````python
'''
```sh
no block
```
'''
````
"""


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_block_of_the_page_works_or_says_why_it_is_not_run(page: Path, tmp_path: Path) -> None:
    runnable = [block for block in blocks(page.read_text()) if block.not_run is None]
    if not runnable:
        return
    used = {program for program in _PROGRAMS for block in runnable if program in block.program.split()}
    if reason := missing("bash", "env", "setsid", *sorted(used)):
        pytest.skip(reason)
    with Session(copy_checkout(tmp_path)) as session:
        for block in runnable:
            printed = session.run(block)
            where = f"{page.relative_to(ROOT)}:{block.line}"
            assert block.output is None or agrees(printed, block.output), f"{where} printed:\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_reason_is_a_reason(page: Path) -> None:
    reasons = [block.not_run for block in blocks(page.read_text()) if block.not_run is not None]
    assert all(len(reason.split()) >= 3 for reason in reasons), reasons


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_block_goes_by_another_name_of_its_language(page: Path) -> None:
    assert languages(page.read_text()) <= {*RUNNABLE, "toml", "yaml", "json", "text", "http", "nginx"}


def test_comments_say_what_is_done_with_a_block() -> None:
    skipped, shortened, program = blocks(PAGE)
    assert skipped == Block(3, "sh", "docker compose up\n", "needs a GPU", False, (), None)
    assert (shortened.program, shortened.output) == ("count 2\n", "2 in ... s\n")
    assert (program.language, program.line, program.not_run) == ("python", 16, None)


def test_what_differs_from_run_to_run_may_be_left_out() -> None:
    assert agrees("2 in 0.31 s\n", "2 in ... s\n")
    assert not agrees("3 in 0.31 s\n", "2 in ... s\n")
