from __future__ import annotations

import doctest
import re
import subprocess
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.errors import Invalid, Misconfigured
from jitcloud.model import Approver, Denied, GroupId, Person, PersonId, RotationId
from jitcloud.policy import approvals, reviews
from jitcloud.policy.approvals import ApprovalRule
from jitcloud.policy.names import Relation
from jitcloud.ports import Directory
from tests.example import Organisation

HERE = Organisation()


class Unlisted:
    """A directory too large to list: it answers about one group at a time."""

    def __init__(self, inner: Directory) -> None:
        self.inner = inner

    def person(self, handle: str) -> Person:
        return self.inner.person(handle)

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        return self.inner.members(group)

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        return self.inner.on_call(rotation)

    def groups(self) -> None:
        return None

    def rotations(self) -> None:
        return None


def findings(*rules: str, organisation: Organisation = HERE) -> list[str]:
    try:
        organisation.policy({"a.cedar": "\n".join(rules)})
    except Misconfigured as exc:
        lines = str(exc).splitlines()
        assert all(line.isprintable() for line in lines)
        return lines
    return []


def rule(  # noqa: PLR0913 - each part of a rule can be wrong
    notes: str = '@approval("1 of security")',
    *,
    id_: str = '@id("r")',
    effect: str = "permit",
    principal: str = "principal",
    action: str = 'action == Action::"request"',
    resource: str = "resource",
    when: str = "",
) -> str:
    clause = f" when {{ {when} }}" if when else ""
    return f"{id_} {notes}\n{effect} ({principal}, {action}, {resource}){clause};"


def forbid(notes: str = '@because("No.")', **parts: str) -> str:
    return rule(notes, **{"effect": "forbid", "action": "action", **parts})


def only(*rules: str) -> str:
    found = findings(*rules)
    assert len(found) == 1, found
    return found[0]


def test_a_sound_rule_has_no_findings() -> None:
    assert findings(rule()) == []
    assert findings(rule(), forbid(id_='@id("f")')) == []


def test_a_finding_names_file_line_and_rule() -> None:
    second = rule(id_='@id("second")', notes="")
    assert only("// a comment; with a semicolon", rule(), "", second).startswith(
        "a.cedar:5:second: a permit of request needs @approval"
    )


def test_all_findings_of_all_files_are_told_at_once() -> None:
    with pytest.raises(Misconfigured) as caught:
        HERE.policy(
            {
                "b.cedar": rule(notes='@aproval("1 of security")'),
                "a.cedar": "permit (principal, action, resource)",
            }
        )
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["a.cedar:1:", "b.cedar:1:r:", "b.cedar:1:r:"]


RULES: dict[str, tuple[str, str]] = {
    # What Cedar's validator says
    "an unknown attribute": (rule(when="principal.team == 1"), "attribute `team`"),
    "an unknown context key": (rule(when="context.ticktet == 1"), "attribute `ticktet`"),
    "an unchecked optional": (rule(when='context.ticket == "T"'), "optional attribute"),
    "an enum id": (rule(when='resource.cloud == Cloud::"awz"'), '"awz"'),
    "a bad duration": (rule(when='context.duration < duration("8 h")'), "failed to parse"),
    "an unknown type": (rule(principal='principal in Team::"sre"'), "Team"),
    # Ids
    "no id": (rule(id_=""), "give this rule a name"),
    "an empty id": (rule(id_="@id"), "give this rule a name"),
    "an id with a space": (rule(id_='@id("a b")'), '@id("a b") is not a name'),
    "an id that steers": (rule(id_=r'@id("a\n\u{1b}")'), r'@id("a\n\x1b") is not a name'),
    # Actions
    "every action": (rule(notes="", action="action"), "a permit names exactly one action"),
    "a list": (
        rule(notes="", action='action in [Action::"request"]'), "a permit names exactly one action",
    ),
    "the group of actions": (
        rule(notes="", action='action in Action::"access"'), "a permit names exactly one action",
    ),
    # Approvals
    "no approval": (rule(notes=""), "a permit of request needs @approval"),
    "an approval to activate": (
        rule(action='action == Action::"activate"'), "@approval belongs on a permit of request",
    ),
    "an approval on a forbid": (
        forbid('@because("No.") @approval("1 of security")'),
        "@approval belongs on a permit of request, and this is a forbid",
    ),
    "an empty approval": (rule("@approval"), '@approval("") cannot be read; write it like'),
    "an unknown group": (
        rule('@approval("1 of securty")'), 'no group "securty".* Did you mean "security"',
    ),
    "an unknown rotation": (
        rule('@approval("1 of rotation.sre-primry")'), 'no rotation "sre-primry".*Did you mean',
    ),
    "a group for a rotation": (rule('@approval("1 of rotation.sre")'), 'no rotation "sre"'),
    # Other annotations
    "a misspelt annotation": (
        rule('@approval("1 of security") @becuase("x")'),
        '@becuase means nothing here. Did you mean "because"',
    ),
    "a sentence on a permit": (
        rule('@approval("1 of security") @because("x")'), "@because belongs on a forbid",
    ),
    "no sentence": (forbid(""), "a forbid needs @because"),
    "an empty sentence": (forbid("@because"), "@because: The sentence is empty"),
    "a sentence that steers": (forbid(r'@because("\u{202e}x")'), "The sentence contains U+202E"),
    "an escalation": (
        rule('@approval("1 of security") @escalate("30m security")'), "@escalate(.*) cannot be",
    ),
    "an escalation in time": (
        rule('@approval("1 of security") @escalate("after 30 to security")'), "not a duration",
    ),
    "an escalation to nobody": (
        rule('@approval("1 of security") @escalate("after 30m to secure")'), 'no group "secure"',
    ),
    "an escalation to no rotation": (
        rule('@approval("1 of security") @escalate("after 30m to rotation.sre")'),
        '@escalate: the directory has no rotation "sre"',
    ),
    "an escalation to a word": (
        rule('@approval("1 of security") @escalate("after 30m to then")'),
        'cannot be read; write it like "after 30m to platform-leads"',
    ),
    "an escalation to two": (
        rule('@approval("1 of security") @escalate("after 30m to sre or security")'),
        "@escalate(.*) cannot be read",
    ),
    "an escalation on a broken glass": (
        rule(
            '@review("within 1d by sre") @escalate("after 30m to security")',
            action='action == Action::"breakGlass"',
        ),
        "@escalate belongs on a permit of request, and this is a permit of breakGlass",
    ),
    "no review": (
        rule("", action='action == Action::"breakGlass"'), "a permit of breakGlass needs @review",
    ),
    "a review by nobody": (
        rule('@review("within 1d by x")', action='action == Action::"breakGlass"'), 'no group "x"',
    ),
    "a notice to nobody": (
        rule(
            '@review("within 1d by sre") @notify("sre, x")',
            action='action == Action::"breakGlass"',
        ),
        '@notify: the directory has no group "x"',
    ),
    "a review by a word": (
        rule('@review("within 1d by or")', action='action == Action::"breakGlass"'),
        'cannot be read; write it like "within 24h by security"',
    ),
    "a review without end": (
        rule('@review("within 31d by sre")', action='action == Action::"breakGlass"'),
        "@review: .* is not a duration",
    ),
    "a review by no rotation": (
        rule('@review("within 1d by rotation.sre")', action='action == Action::"breakGlass"'),
        '@review: the directory has no rotation "sre"',
    ),
    "a notice to an empty name": (
        rule(
            '@review("within 1d by sre") @notify("sre,, security")',
            action='action == Action::"breakGlass"',
        ),
        '@notify("sre,, security") cannot be read; write it like "security, platform-leads"',
    ),
    "a review of a brake": (
        rule('@review("within 1d by sre")', action='action == Action::"end"'),
        "@review belongs on a permit of breakGlass, and this is a permit of end",
    ),
    "a sentence on a brake": (
        rule('@because("x")', action='action == Action::"stop"'),
        "@because belongs on a forbid, and this is a permit of stop",
    ),
    "no sentence about a brake": (
        forbid("", action='action == Action::"stop"'), "a forbid needs @because",
    ),
    "both brakes": (
        rule("", action='action in [Action::"stop", Action::"end"]'),
        'a permit names exactly one action.*Action::"approve", Action::"stop", Action::"end".',
    ),
    "a review of a request": (
        rule('@approval("1 of security") @review("within 1d by sre")'),
        "@review belongs on a permit of breakGlass, and this is a permit of request",
    ),
    # Free ids
    "a group": (rule(principal='principal in Group::"srre"'), 'no group "srre".*mean "sre"'),
    "a homoglyph": (rule(principal='principal in Group::"\u0455re"'), "the directory has no group"),
    "a rotation": (rule(principal='principal in Rotation::"sre"'), 'no rotation "sre"'),
    "an environment": (
        rule(resource='resource in Environment::"prd"'), 'no environment "prd".*mean "prod"',
    ),
    "a label": (rule(when='resource in Label::"pi"'), 'no label "pi".*Did you mean "pii"'),
    "an entitlement": (
        rule(resource='resource == Entitlement::"prod-red"'), 'no entitlement "prod-red"',
    ),
    "a person": (rule(principal='principal == User::"u-dve"'), 'nobody with the id "u-dve"'),
    "an e-mail": (
        rule(principal='principal == User::"dev@example.org"'),
        '"dev@example.org" is an alias; write the id "u-dev" instead',
    ),
    "one request": (
        rule("", action='action == Action::"approve"', resource='resource == Request::"this"'),
        "a rule cannot name one request",
    ),
    "one brake": (
        rule("", action='action == Action::"stop"', resource='resource == Brake::"this"'),
        "a rule cannot name one brake",
    ),
    # Tests that would quietly be false
    "the manager of whom a brake is about": (
        rule(
            "",
            action='action == Action::"end"',
            when="resource has person && resource.person has manager &&"
            ' resource.person.manager in Group::"sre"',
        ),
        'may stand left of "in" and "has"',
    ),
    "the owners of what a brake is about": (
        rule(
            "",
            action='action == Action::"end"',
            when='resource has entitlement && resource.entitlement.owner in Group::"sre"',
        ),
        'may stand left of "in" and "has"',
    ),
    "the manager's groups": (
        forbid(
            action='action in Action::"access"',
            when='principal has manager && principal.manager in Group::"sre"',
        ),
        'may stand left of "in" and "has"',
    ),
    "the manager's manager": (
        forbid(action='action in Action::"access"', when="principal has manager.manager"),
        'may stand left of "in" and "has"',
    ),
    "the owner's parents": (
        rule(when='resource.owner in Group::"sre"'), 'may stand left of "in" and "has"',
    ),
    "the groups of somebody else": (
        rule(when='User::"u-dev" in Group::"sre"'), 'may stand left of "in" and "has"',
    ),
    "the kind and groups of the manager": (
        rule(when='principal has manager && principal.manager is User in Group::"sre"'),
        'may stand left of "in" and "has"',
    ),
    "whichever of two": (
        rule(when='(if context.freeze then principal else User::"u-dev") in Group::"sre"'),
        'may stand left of "in" and "has"',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), RULES.values(), ids=RULES.keys())
def test_a_mistake_is_found_and_said(text: str, said: str) -> None:
    found = [line for line in findings(text) if re.search(_pattern(said), line)]
    assert found, findings(text)
    assert found[0].startswith("a.cedar:1:")


def _pattern(said: str) -> str:
    return ".*".join(map(re.escape, said.split(".*")))


@pytest.mark.parametrize(
    "text",
    [
        rule(principal='principal in Group::"sre"', when="context has ticket"),
        rule(principal="principal is User", when="principal is User"),
        rule(principal='principal is User in Group::"sre"'),
        rule(when="context.start.hour >= 8 && context.end has weekday"),
        rule(when="principal has manager && principal.manager == principal"),
        rule(when="resource has owner && principal in resource.owner"),
        rule(when='resource.owner == Group::"sre" && resource in Label::"pii"'),
        rule(principal='principal == User::"u-dev"', resource='resource == Entitlement::"dev-db"'),
        rule('@approval("1 of security") @escalate("after 30m to platform-leads")'),
        rule(
            '@review("within 24h by security") @notify("security, platform-leads")',
            action='action == Action::"breakGlass"',
        ),
        forbid(
            action='action == Action::"approve"',
            when='resource.requester in Group::"sre" && resource.requester has manager'
            " && principal == resource.requester.manager",
        ),
        forbid(action='action in [Action::"activate", Action::"request"]'),
        forbid(action='action == Action::"breakGlass"'),
        rule('@approval("1 of security") @escalate("after 30m to rotation.sre-primary")'),
        rule('@approval("1 of security") @escalate("  after 1h30m  to  resource.owner ")'),
        rule('@approval("1 of security") @escalate("after 30m to principal.manager")'),
        rule(
            '@review("within 24h by resource.owner")'
            ' @notify("principal.manager,rotation.sre-primary , security")',
            action='action == Action::"breakGlass"',
        ),
        rule("", action='action == Action::"stop"', when="resource has cloud"),
        rule(
            "",
            action='action == Action::"end"',
            when='resource has person && resource.person in Group::"sre"'
            " && resource.person has manager && resource.person.manager == principal",
        ),
        rule(
            "",
            action='action == Action::"stop"',
            when='resource has entitlement && resource.entitlement in Label::"pii"'
            " && principal in resource.entitlement.owner",
        ),
        forbid(action='action in [Action::"stop", Action::"end"]', when="resource.everything"),
    ],
    ids=range(21),
)
def test_what_can_be_asked_is_let_be(text: str) -> None:
    assert findings(text) == []


def test_two_rules_of_one_id_are_refused_across_files() -> None:
    with pytest.raises(Misconfigured, match=r"b\.cedar:1:r: a\.cedar has a rule .* \(line 1\)"):
        HERE.policy({"a.cedar": rule(), "b.cedar": rule()})


def test_no_rule_takes_the_id_of_a_guardrail() -> None:
    said = only(forbid(id_='@id("no-self-approval")'))
    assert said.startswith("a.cedar:1:no-self-approval: jitcloud/guardrails.cedar has a rule")


@pytest.mark.parametrize("name", ["jitcloud/guardrails.cedar", "jitcloud/schema.cedarschema"])
def test_no_text_takes_the_place_of_one_that_is_shipped(name: str) -> None:
    with pytest.raises(Misconfigured, match="this name is taken"):
        HERE.policy({name: rule()})


@pytest.mark.parametrize("texts", [{}, {"a.cedar": ""}, {"a.cedar": "// nothing yet\n"}])
def test_a_policy_without_rules_is_refused(texts: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="The policy has no rule"):
        HERE.policy(texts)


def test_templates_are_refused_and_the_rest_is_still_checked() -> None:
    template = rule(id_='@id("t")', principal="principal == ?principal")
    first, second = findings(template, rule(notes=""))
    assert first.startswith("a.cedar:1:t: templates are not used here")
    assert second.startswith("a.cedar:3:r: a permit of request needs @approval")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('permit (principal, action == Action::"request", resource)', "unexpected end"),
        (rule() + "\n\n" + rule(when="true ;"), "a.cedar:4: this is not Cedar"),
        (rule(notes='@approval("1 of security") @approval("x")'), "duplicate annotation"),
        (rule(when='context.duration = duration("1h")'), "this is not Cedar"),
        (rule() + '\n@id("open', "a.cedar:3: this is not Cedar"),
    ],
    ids=["no end", "second", "annotation twice", "single =", "open string"],
)
def test_what_does_not_parse_is_told_with_its_line(text: str, said: str) -> None:
    assert said in only(text)


def test_a_file_is_whole_by_itself_and_cannot_swallow_the_next() -> None:
    begun = rule()[:-1]
    with pytest.raises(Misconfigured, match=r"a\.cedar:1: this is not Cedar"):
        HERE.policy({"a.cedar": begun, "b.cedar": "when { true };\n" + rule(id_='@id("b")')})
    never = forbid(id_='@id("never")', action='action in Action::"access"').replace("\n", " ")
    policy = HERE.policy({"a.cedar": rule() + " // no line end", "b.cedar": never})
    assert isinstance(HERE.judge(policy, HERE.ask("dev", "dev-db")), Denied)


@pytest.mark.parametrize(
    ("char", "name"),
    [("\u202e", "U+202E"), ("\u2066", "U+2066"), ("\r", "U+000D"), ("\x1b", "U+001B")],
)
def test_text_that_reads_differently_from_what_it_says_is_refused(char: str, name: str) -> None:
    assert only(f"// a{char}b\n" + rule()).startswith(f"a.cedar:1: {name} can make a rule read")


def test_tabs_and_either_line_end_are_fine() -> None:
    assert findings(("\t" + rule()).replace("\n", "\r\n") + "\r\n") == []


TOO_DEEP = {
    "brackets": "(" * 5000 + "true" + ")" * 5000,
    "sets": "[" * 5000 + "1" + "]" * 5000 + " == 1",
    "operators": " && ".join(["true"] * 50_000),
    "ifs": "if true then true else " * 5000 + "true",
    "dots": "context" + ".start" * 50_000,
}


@pytest.mark.parametrize("when", TOO_DEEP.values(), ids=TOO_DEEP.keys())
def test_a_rule_that_would_overflow_the_stack_of_the_parser_is_refused(when: str) -> None:
    # Without the check cedarpy ends the whole process with SIGSEGV.
    assert "split it into several rules" in only(rule(), rule(id_='@id("deep")', when=when))


def test_a_rule_of_a_hundred_operators_is_not_too_much() -> None:
    either = " || ".join(f"context.start.hour == {hour}" for hour in range(24))
    assert findings(rule(when=either)) == []


def test_a_directory_that_cannot_be_listed_is_asked_about_each_id() -> None:
    large = Organisation(directory=Unlisted(HERE.directory))
    assert large.policy().digest == HERE.policy().digest
    found = findings(
        rule('@approval("1 of securty")', principal='principal in Rotation::"sre"'),
        organisation=large,
    )
    assert len(found) == 2
    assert 'the directory has no group "securty"' in found[0]
    assert 'the directory has no rotation "sre"' in found[1]


# ── The grammar of an approval ───────────────────────────────────────────────────────────────


def test_an_approval_is_read_stage_by_stage() -> None:
    parsed = ApprovalRule.parse("2 of a or b then 1 of rotation.c then 10 of resource.owner")
    assert [stage.count for stage in parsed.stages] == [2, 1, 10]
    assert parsed.names == (
        Approver(kind="group", id="a"),
        Approver(kind="group", id="b"),
        Approver(kind="rotation", id="c"),
        Relation.OWNER,
    )


@pytest.mark.parametrize("module", [approvals, reviews], ids=["approvals", "reviews"])
def test_the_example_in_its_documentation_holds(module: ModuleType) -> None:
    assert doctest.testmod(module) == (0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a", "of a", "1", "1 of", "1 a", "0 of a", "-1 of a", "100 of a", "1.5 of a",
        "one of a", "\u0661 of a", "1 of a or", "1 of or a", "1 of a b", "1 of a, b", "1 of a then",
        "then 1 of a", "1 of a then then 1 of b", "1 of then", "1 of of", "1 of a or or b",
        "1 of a and 1 of b", "1 OF a", "1 of a THEN 1 of b", "1 of rotation.", "auto", "none",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_one_message(text: str) -> None:
    with pytest.raises(Invalid, match="cannot be read; write it like") as caught:
        ApprovalRule.parse(text)
    assert str(caught.value).isprintable()


@given(st.lists(st.sampled_from(["1", "2", "0", "of", "or", "then", "a", "rotation.b"])))
def test_what_is_read_asks_at_least_one_of_somebody(words: list[str]) -> None:
    try:
        parsed = ApprovalRule.parse(" ".join(words))
    except Invalid:
        return
    assert parsed.stages
    assert all(stage.count >= 1 and stage.names for stage in parsed.stages)


def test_policy_is_not_loaded_by_importing_the_library() -> None:
    code = "import sys, jitcloud; sys.exit(bool({'cedarpy', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own
