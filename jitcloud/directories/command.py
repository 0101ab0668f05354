"""A directory behind a program of the operator's: LDAP, Okta, Entra, a spreadsheet, anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from jitcloud.errors import Invalid, NotFound, Refused, Unavailable
from jitcloud.model import GroupId, Person, PersonId, RotationId
from jitcloud.programs import OperatorProgram
from jitcloud.text import one_line, quoted

VERSION = 1
"""Of the questions. A later one only adds keys to them, which a program does not read."""


def _line(text: str) -> str:
    return one_line(text, "text", limit=200)


_Line = Annotated[str, AfterValidator(_line)]
_Lines = Annotated[list[_Line], Field(fail_fast=True)]  # a list may hold millions of mistakes


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Person(_Answer):
    # Nothing may be left out: a program that forgets `disabled` must not let everybody in.
    id: _Line
    name: _Line
    emails: _Lines
    groups: _Lines
    rotations: _Lines
    manager: _Line | None
    disabled: bool


class _OnePerson(_Answer):
    person: _Person | None
    several: bool = False

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        if self.several and self.person is not None:
            raise ValueError("several people and one cannot both be the answer; answer one of them")
        return self


class _Members(_Answer):
    members: _Lines | None


class _OnCall(_Answer):
    on_call: _Lines | None


class _Groups(_Answer):
    groups: _Lines | None


class _Rotations(_Answer):
    rotations: _Lines | None


@dataclass(frozen=True, slots=True)
class CommandDirectory:
    """Asks the program anew for each question, and keeps nothing: ``Remembering`` asks less often.

    Nested groups are the program's to resolve, both ways. Whatever is not an answer raises
    ``Unavailable``, or ``Misconfigured`` where only an operator can help.
    """

    program: OperatorProgram

    def person(self, handle: str) -> Person:
        if not _can_be_known(handle):
            raise _nobody(handle)
        answer = self.program.ask(_question("person", handle=handle), _OnePerson)
        if answer.several:
            raise Refused(
                f"{quoted(handle)} fits more than one person in the directory; use the id instead."
            )
        found = answer.person
        if found is None:
            raise _nobody(handle)
        # An id is exact, and an e-mail is only ever a way to it.
        emails = {email.casefold() for email in found.emails}
        if found.id != handle and handle.casefold() not in emails:
            raise Unavailable(
                f"The program {self.program.name} answered about somebody else than was asked:"
                f" {quoted(handle)} is neither the id nor an e-mail of whom it named; mend it."
            )
        return Person(
            id=PersonId(found.id),
            name=found.name,
            emails=tuple(found.emails),
            groups=frozenset(map(GroupId, found.groups)),
            rotations=frozenset(map(RotationId, found.rotations)),
            manager=None if found.manager is None else PersonId(found.manager),
            disabled=found.disabled,
        )

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        if not _can_be_known(group):
            return None
        found = self.program.ask(_question("members", group=group), _Members).members
        return None if found is None else frozenset(map(PersonId, found))

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        if not _can_be_known(rotation):
            return None
        found = self.program.ask(_question("on_call", rotation=rotation), _OnCall).on_call
        return None if found is None else frozenset(map(PersonId, found))

    def groups(self) -> frozenset[GroupId] | None:
        found = self.program.ask(_question("groups"), _Groups).groups
        return None if found is None else frozenset(map(GroupId, found))

    def rotations(self) -> frozenset[RotationId] | None:
        found = self.program.ask(_question("rotations"), _Rotations).rotations
        return None if found is None else frozenset(map(RotationId, found))


def _question(ask: str, **about: str) -> dict[str, object]:
    return {"version": VERSION, "ask": ask, **about}


def _can_be_known(name: str) -> bool:
    """Whether an answer could hold this name: what could not is not worth a process."""
    try:
        _line(name)
    except Invalid:
        return False
    return True


def _nobody(handle: str) -> NotFound:
    return NotFound(f"Nobody in the directory has the id or e-mail {quoted(handle)}.")
