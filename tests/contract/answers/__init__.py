"""What whatever keeps answers must do. To try one of yours, derive from a class here."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.model import Digest
from jitcloud.ports import Answered, Answers, Begun
from tests.factories import NOW

Opener = Callable[[], Answers]
"""Opens the same answers each time."""

NAME, OTHER = Digest("a" * 64), Digest("b" * 64)
SAID, ELSE = Digest("1" * 64), Digest("2" * 64)
LEASE, KEEP = timedelta(minutes=2), timedelta(hours=24)


def begin(
    answers: Answers,
    name: Digest = NAME,
    said: Digest = SAID,
    after: timedelta = timedelta(0),
) -> Begun | Answered:
    return answers.begin(name, said, NOW + after, lease=LEASE, keep=KEEP)


def begun(answers: Answers, after: timedelta = timedelta(0)) -> Begun:
    found = begin(answers, after=after)
    assert isinstance(found, Begun)
    return found


class AnswersContract(ABC):
    @pytest.fixture
    @abstractmethod
    def kept(self, tmp_path: Path) -> Opener: ...

    @pytest.fixture
    def answers(self, kept: Opener) -> Iterator[Answers]:
        answers = kept()
        yield answers
        answers.close()

    def test_what_is_new_is_begun(self, answers: Answers) -> None:
        first = begun(answers)
        assert first == Begun(name=NAME, said=SAID, since=NOW, number=1)

    def test_what_is_under_way_is_not_begun_again(self, answers: Answers) -> None:
        begun(answers)
        assert begin(answers, after=LEASE / 2) == Answered(said=SAID, since=NOW, answer=None)

    def test_an_answer_is_given_again_word_for_word(self, answers: Answers) -> None:
        text = '{"status":201,"body":{"ä":"\\u2028\\ud83d"}}'
        answers.finish(begun(answers), text)
        assert begin(answers, after=KEEP / 2) == Answered(said=SAID, since=NOW, answer=text)

    def test_an_answer_of_any_size_that_is_kept_comes_back(self, answers: Answers) -> None:
        text = "x" * 128 * 1024
        answers.finish(begun(answers), text)
        assert begin(answers) == Answered(said=SAID, since=NOW, answer=text)

    def test_names_do_not_mix(self, answers: Answers) -> None:
        answers.finish(begun(answers), "{}")
        assert isinstance(begin(answers, OTHER), Begun)

    def test_what_was_said_before_is_told_whoever_says_something_else(
        self, answers: Answers
    ) -> None:
        first = begun(answers)
        assert begin(answers, said=ELSE) == Answered(said=SAID, since=NOW, answer=None)
        # Nobody takes it over to do something else: the first may have been done.
        assert begin(answers, said=ELSE, after=LEASE) == Answered(said=SAID, since=NOW, answer=None)
        answers.finish(first, "{}")
        assert begin(answers, said=ELSE) == Answered(said=SAID, since=NOW, answer="{}")

    def test_whoever_died_at_it_is_followed_by_the_next(self, answers: Answers) -> None:
        begun(answers)
        assert isinstance(begin(answers, after=LEASE - timedelta(microseconds=1)), Answered)
        second = begun(answers, after=LEASE)
        assert second == Begun(name=NAME, said=SAID, since=NOW, number=2)
        third = begun(answers, after=2 * LEASE)
        assert (third.since, third.number) == (NOW, 3)

    def test_whoever_comes_back_too_late_changes_nothing(self, answers: Answers) -> None:
        first = begun(answers)
        second = begun(answers, after=LEASE)
        answers.finish(first, "too late")
        answers.release(first, NOW)
        assert begin(answers, after=LEASE) == Answered(said=SAID, since=NOW, answer=None)
        answers.finish(second, "in time")
        answers.finish(second, "once more")
        assert begin(answers, after=LEASE) == Answered(said=SAID, since=NOW, answer="in time")

    def test_what_was_released_is_begun_at_once_and_remembers_when_it_was_first(
        self, answers: Answers
    ) -> None:
        answers.release(begun(answers), NOW + timedelta(seconds=1))
        again = begun(answers, after=timedelta(seconds=1))
        assert (again.since, again.number) == (NOW, 2)

    def test_what_was_answered_cannot_be_released(self, answers: Answers) -> None:
        first = begun(answers)
        answers.finish(first, "{}")
        answers.release(first, NOW)
        assert begin(answers) == Answered(said=SAID, since=NOW, answer="{}")

    def test_after_a_day_a_key_is_new(self, answers: Answers) -> None:
        first = begun(answers)
        answers.finish(first, "{}")
        assert isinstance(begin(answers, after=KEEP - timedelta(microseconds=1)), Answered)
        anew = begin(answers, said=ELSE, after=KEEP)
        assert anew == Begun(name=NAME, said=ELSE, since=NOW + KEEP, number=1)
        answers.finish(first, "of yesterday")
        assert begin(answers, said=ELSE, after=KEEP) == Answered(
            said=ELSE, since=NOW + KEEP, answer=None
        )

    def test_of_many_at_once_one_begins(self, answers: Answers) -> None:
        barrier, found = threading.Barrier(8), []

        def race() -> None:
            barrier.wait()
            found.append(begin(answers))

        racers = [threading.Thread(target=race) for _ in range(8)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert sum(isinstance(each, Begun) for each in found) == 1
        assert len(found) == 8

    def test_of_many_that_follow_the_dead_one_does(self, answers: Answers) -> None:
        begun(answers)
        barrier, found = threading.Barrier(8), []

        def race() -> None:
            barrier.wait()
            found.append(begin(answers, after=LEASE))

        racers = [threading.Thread(target=race) for _ in range(8)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert [each.number for each in found if isinstance(each, Begun)] == [2]

    def test_once_closed_nothing_more_is_done(self, answers: Answers) -> None:
        first = begun(answers)
        answers.close()
        answers.close()
        for call in (
            lambda: begin(answers),
            lambda: answers.finish(first, "{}"),
            lambda: answers.release(first, NOW),
        ):
            with pytest.raises(ValueError, match="closed"):
                call()


class SharedAnswersContract(AnswersContract):
    def test_they_outlive_whoever_keeps_them(self, kept: Opener) -> None:
        first = kept()
        first.finish(begun(first), "{}")
        first.close()
        second = kept()
        assert begin(second) == Answered(said=SAID, since=NOW, answer="{}")
        second.close()

    def test_two_of_them_see_each_other_at_once(self, answers: Answers, kept: Opener) -> None:
        other = kept()
        first = begun(answers)
        assert begin(other) == Answered(said=SAID, since=NOW, answer=None)
        answers.finish(first, "{}")
        assert begin(other) == Answered(said=SAID, since=NOW, answer="{}")
        other.close()
