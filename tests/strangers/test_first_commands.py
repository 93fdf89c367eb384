"""The first command for people's files is right, or says the exact next one; it is never wrong in silence."""

import pytest
from first_commands import REFUSED, RIGHT, SKIPPED, WRONG, describe, is_as_wanted, try_all
from people_files import EXAMPLES
from sampling import every

# At most so many of all files; in a sample, a file that is not right has to be as its example says.
NOT_RIGHT, NOT_AS_WANTED, WITHOUT_A_WAY = 20, 4, 1


def test_there_are_as_many_files_as_a_stranger_had():
    assert len(EXAMPLES) == len({example.name for example in EXAMPLES}) == 78


@pytest.mark.slow
def test_the_first_command_for_each_file_is_right_or_says_the_next_one(tmp_path):
    outcomes = [*try_all(tmp_path, [example.name for example in EXAMPLES[:: every(4)]])]
    others = [pair for pair in outcomes if not is_as_wanted(*pair)]
    shown = "\n".join(describe(*pair) for pair in others)
    kinds = [outcome.kind for _, outcome in outcomes]
    assert WRONG not in kinds, shown
    assert len(kinds) - kinds.count(RIGHT) <= NOT_RIGHT, shown
    assert len(others) - kinds.count(SKIPPED) <= NOT_AS_WANTED // every(4), shown
    assert kinds.count(REFUSED) <= WITHOUT_A_WAY, shown
