"""A directory that is asked each question once: put around any other for one decision."""

from __future__ import annotations

from functools import cache, partial

from jitcloud.errors import NotFound, Refused
from jitcloud.model import GroupId, Person, PersonId, RotationId
from jitcloud.ports import Directory


class Remembering:
    """Answers a question again as it was answered first, for as long as it is kept.

    So one decision costs a question each, and cannot see somebody in a group and out of it.
    Whoever keeps one for the next decision breaks the promise that people are looked up anew each
    time. Nobody and two people are answers too; that there was no answer (``Misconfigured``,
    ``Unavailable``) is not remembered.
    """

    def __init__(self, directory: Directory) -> None:
        # By handle as asked: what an e-mail fits says nothing of whom the same text fits as an id.
        self._person = cache(partial(_look_up, directory))
        self._members = cache(directory.members)
        self._on_call = cache(directory.on_call)
        self._groups = cache(directory.groups)
        self._rotations = cache(directory.rotations)

    def person(self, handle: str) -> Person:
        found = self._person(handle)
        if isinstance(found, Person):
            return found
        raise type(found)(str(found))  # anew: one raised twice would grow by its way each time

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        return self._members(group)

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        return self._on_call(rotation)

    def groups(self) -> frozenset[GroupId] | None:
        return self._groups()

    def rotations(self) -> frozenset[RotationId] | None:
        return self._rotations()


def _look_up(directory: Directory, handle: str) -> Person | NotFound | Refused:
    try:
        return directory.person(handle)
    except (NotFound, Refused) as exc:
        return type(exc)(str(exc))
