# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression language of rules, and rules on objects."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.api.cel import CompileError, EvaluationError, Expression, Scope, escaped, unescaped
from sandbox.api.fields import FieldError
from sandbox.api.rules import Rules, compile_problems

SELF = {"s": "abc", "i": 3, "l": [1, 2, 3], "m": {"k": "v"}, "o": {"x": 1}, "b": True, "f": 1.5}


def evaluate(text: str) -> Any:
    expression = Expression(text, {"self": None})
    return expression.run(Scope({"self": SELF}, expression.functions))


@pytest.mark.parametrize(
    "text",
    [
        "self.s == 'abc' && self.i == 3",
        "self.i + 2 * 3 == 9 && (self.i + 2) * 3 == 15",
        "7 / 2 == 3 && -7 / 2 == -3 && -7 % 3 == -1",
        "self.f * 2.0 == 3.0",
        "1 < 2 && 'a' < 'b' && 2 >= 2",
        "self.b ? self.i == 3 : false",
        "2 in self.l && !(4 in self.l) && 'k' in self.m",
        "self.l[0] == 1 && self.m['k'] == 'v' && self.m.k == 'v'",
        "self.l + [4] == [1, 2, 3, 4]",
        "has(self.o.x) && !has(self.o.y)",
        "self.l.all(x, x > 0) && self.l.exists(x, x == 2) && self.l.exists_one(x, x == 3)",
        "self.l.filter(x, x > 1).map(x, x * 2) == [4, 6]",
        "self.m.all(k, self.m[k] == 'v')",
        "self.l.isSorted() && self.l.sum() == 6 && self.l.max() == 3 && self.l.indexOf(2) == 1",
        "self.s.startsWith('a') && self.s.endsWith('c') && self.s.contains('b') && self.s.matches('^[a-c]+$')",
        "self.s.size() == 3 && size(self.l) == 3",
        "self.s.upperAscii() == 'ABC' && 'A,B'.split(',') == ['A', 'B'] && ['a', 'b'].join('-') == 'a-b'",
        "'%s is %d'.format(['x', 3]) == 'x is 3'",
        "'abc'.substring(1) == 'bc' && 'aXa'.replace('a', 'b') == 'bXb' && ' x '.trim() == 'x'",
        "int('3') == 3 && string(3) == '3' && double('1.5') == 1.5 && type(3) == int",
        "duration('1h') > duration('59m') && duration('90s').getMinutes() == 1",
        "timestamp('2026-01-02T03:04:05Z').getFullYear() == 2026",
        "quantity('1Gi').isGreaterThan(quantity('1G')) && isQuantity('5m') && !isQuantity('x')",
        "ip('10.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.2.3') && !isIP('x')",
        "url('https://a.example:80/p?q=1').getHostname() == 'a.example' && isURL('https://a.example')",
        "self.?missing.orValue('none') == 'none' && self.o.?x.hasValue()",
        "'äö'.size() == 2 && r'\\d' == '\\\\d' && b'a' == b'\\x61'",
        "false && missing.field == 1 || true",
        "(1 / 0 == 1) || true",
        "1u + 2u == 3u && 0x10 == 16 && 1e3 == 1000.0",
        "null == null && self.o != null",
    ],
)
def test_expressions_that_hold(text: str) -> None:
    expression = Expression(text, {"self": None, "missing": None})
    assert expression.run(Scope({"self": SELF, "missing": {}}, expression.functions)) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0 == 1", "division by zero"),
        ("self.l[9] == 1", "index out of bounds: 9"),
        ("self.nope == 1", "no such key: nope"),
        ("self.m['nope'] == 1", "no such key: nope"),
        ("self.s + 1 == 2", "no such overload"),
        ("self.nope == 1 || self.nada == 1", "no such key: nope"),
        ("self.i == 3 ? (self.b && size(self.a) > 0 && self.c) || self.d : self.e  // why", "no such key: a"),
        ("duration(self.s) > duration('1s')", "type conversion error from 'string' to 'google.protobuf.Duration'"),
        ("9223372036854775807 + 1 > 0", "integer overflow"),
    ],
)
def test_errors_of_evaluation(text: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message.replace("(", r"\(")):
        evaluate(text)


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("self.s ==", "mismatched input '<EOF>'", 10),
        ("self.s = 'a'", "token recognition error", 8),
        ("nope == 1", "undeclared reference to 'nope'", 1),
        ("nope(1)", "undeclared reference to 'nope'", 5),
        ("has(self)", "invalid argument to has() macro", 5),
        ("1 == 2 3", "extraneous input '3'", 8),
        ("self.l.all(x, y > 1)", "undeclared reference to 'y'", 15),
        ("'nope' == self.s && 1 == # nope\n2", "token recognition error", 26),
        ("self.s == '' ||\n nope", "undeclared reference to 'nope'", 2),
    ],
)
def test_what_cannot_be_compiled(text: str, message: str, column: int) -> None:
    with pytest.raises(CompileError) as caught:
        Expression(text, {"self": None})
    assert message in str(caught.value)
    assert f":{column}: " in str(caught.value).splitlines()[0]


@pytest.mark.parametrize("text", ["self" + ".a" * 20_000, "1" + "+1" * 20_000])
def test_expressions_that_are_too_long_are_refused(text: str) -> None:
    with pytest.raises(CompileError, match="expression code point size exceeds limit"):
        Expression(text, {"self": None})


def test_long_expressions_are_run() -> None:
    assert evaluate("1" + "+1" * 4_000 + " == 4001") is True
    with pytest.raises(EvaluationError, match="no such key: a"):
        evaluate("self" + ".a" * 4_000)


# rules


def checker(*rules: dict[str, Any], **node: Any) -> Rules:
    spec = {"type": "object", "x-kubernetes-validations": list(rules), **node}
    return Rules({"type": "object", "properties": {"spec": spec}}, root=True)


NUMBER = {"properties": {"n": {"type": "integer"}, "o": {"type": "integer"}}}


def check(rules: Rules, spec: Any, old: Any = None, warnings: list[str] | None = None) -> list[FieldError]:
    found = list(rules.check({"spec": spec}, None if old is None else {"spec": old}))
    if warnings is not None:
        warnings += [str(error) for error, warns in found if warns]
    return [error for error, warns in found if not warns]


def test_rules_have_messages_paths_and_reasons() -> None:
    plain = checker({"rule": "self.n > 1"}, **NUMBER)
    assert [str(error) for error in check(plain, {"n": 1})] == ["spec: Invalid value: failed rule: self.n > 1"]
    stated = checker(
        {"rule": "self.n > 1", "message": "too few", "fieldPath": ".n", "reason": "FieldValueForbidden"}, **NUMBER
    )
    error = check(stated, {"n": 1})[0]
    assert (error.reason, error.field, error.detail) == ("FieldValueForbidden", "spec.n", "too few")
    made = checker({"rule": "self.n > 1", "messageExpression": "'only ' + string(self.n)", "message": "x"}, **NUMBER)
    assert check(made, {"n": 1})[0].detail == "only 1"
    assert check(plain, {"n": 2}) == []


def test_transition_rules_need_an_old_value() -> None:
    rules = checker({"rule": "self.n >= oldSelf.n", "message": "never less"}, **NUMBER)
    assert check(rules, {"n": 1}) == []
    assert [error.detail for error in check(rules, {"n": 1}, {"n": 2})] == ["never less"]


def test_an_optional_old_value_is_there_at_creation() -> None:
    stated = {"rule": "oldSelf.hasValue() || self.n == 0", "optionalOldSelf": True}
    assert len(check(checker(stated, **NUMBER), {"n": 1})) == 1
    assert check(checker(stated, **NUMBER), {"n": 1}, {"n": 5}) == []


def test_rules_that_an_unchanged_value_breaks_only_warn() -> None:
    warnings: list[str] = []
    rules = checker({"rule": "self.n > 1", "message": "too few"}, **NUMBER)
    assert check(rules, {"n": 1}, {"n": 1}, warnings) == []
    assert warnings == ["spec: Invalid value: too few"]


def test_rules_reach_into_lists_and_maps() -> None:
    positive = {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 0", "message": "positive"}]}
    properties = {
        "l": {"type": "array", "items": positive},
        "m": {"type": "object", "additionalProperties": positive},
    }
    found = check(checker(properties=properties), {"l": [1, 0], "m": {"k": -1}})
    assert sorted(error.field for error in found) == ["spec.l[1]", "spec.m[k]"]


def test_strings_with_a_format_are_more_than_strings() -> None:
    properties = {"t": {"type": "string", "format": "duration"}}
    rules = checker({"rule": "self.t > duration('1m')"}, properties=properties)
    assert check(rules, {"t": "2m"}) == []
    assert len(check(rules, {"t": "30s"})) == 1


def test_rules_are_compiled_when_a_definition_is_created() -> None:
    node = {"type": "object", **NUMBER, "x-kubernetes-validations": [{"rule": "self.nope == 1"}, {"rule": " "}]}
    first, second = compile_problems(node, "schema")
    assert first.field == "schema.x-kubernetes-validations[0].rule"
    assert "ERROR: <input>:1:5: undefined field 'nope'\n | self.nope == 1\n | ....^" in str(first)
    assert str(second) == "schema.x-kubernetes-validations[1].rule: Required value: rule is not specified"


def test_names_that_expressions_cannot_say_are_escaped() -> None:
    assert [escaped(name) for name in ("namespace", "a-b", "a.b/c", "a__b", "plain")] == [
        "__namespace__",
        "a__dash__b",
        "a__dot__b__slash__c",
        "a__underscores__b",
        "plain",
    ]
    assert [unescaped(escaped(name)) for name in ("namespace", "a-b", "a__b")] == ["namespace", "a-b", "a__b"]
    properties = {"namespace": {"type": "string"}, "a-b": {"type": "string"}}
    rules = checker({"rule": "self.__namespace__ == self.a__dash__b"}, properties=properties)
    assert check(rules, {"namespace": "x", "a-b": "x"}) == []
    assert len(check(rules, {"namespace": "x", "a-b": "y"})) == 1


def test_numbers_are_doubles_where_the_schema_says_so() -> None:
    rules = checker({"rule": "self.n * 2.0 < 5.0"}, properties={"n": {"type": "number"}})
    assert check(rules, {"n": 2}) == []
    assert len(check(rules, {"n": 3})) == 1


def test_fields_of_loop_variables_are_known() -> None:
    item = {"type": "object", "properties": {"a": {"type": "string"}}}
    node = {"type": "object", "properties": {"l": {"type": "array", "items": item}}}
    rule = {"rule": "self.l.all(x, x.a != '' && x.b != '')"}
    (error,) = compile_problems({**node, "x-kubernetes-validations": [rule]}, "schema")
    assert "ERROR: <input>:1:29: undefined field 'b'" in str(error)
