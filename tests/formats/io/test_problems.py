"""Problems say which limit ended reading, in words and in their evidence."""

from __future__ import annotations

from modelaudit.errors import LimitExceeded, ReadError, WorkSpent
from modelaudit.formats.io.problems import limit_problem, problem_of
from modelaudit.formats.io.work_allowance import is_of_work


def test_an_error_keeps_its_limit():
    told = problem_of(LimitExceeded("a.h5", "layers", 41, 40, "layers"), "b.h5", "model", "is long")
    assert (told.file, told.route, told.detail) == ("b.h5", "model", "is long")
    assert told.evidence == {
        "limit": "layers",
        "measured": 41,
        "threshold": 40,
        "setting": "layers",
    }


def test_an_error_without_a_limit_has_no_evidence():
    told = problem_of(ReadError("corrupt", "a.h5", "no header"))
    assert (told.file, told.detail, told.evidence) == ("a.h5", "no header", {})


def test_a_setting_that_an_error_names_without_numbers():
    told = problem_of(ReadError("limit-exceeded", "a.tar", "stopped", "density"))
    assert told.evidence == {"setting": "density"}


def test_a_limit_in_words_and_evidence():
    told = limit_problem("a.h5", "stopped", "work", "x", {"hdf5": "objects"})
    assert told.detail == "stopped (setting work)"
    assert told.evidence == {"hdf5": "objects", "setting": "work"}
    assert limit_problem("a.h5", "stopped", "").detail == "stopped"


def test_work_is_told_by_the_setting_and_not_by_a_name():
    assert is_of_work(problem_of(WorkSpent(5)))
    assert is_of_work(limit_problem("a.h5", "stopped", "work"))
    assert not is_of_work(limit_problem("a.h5", "link to x (setting work)", ""))
