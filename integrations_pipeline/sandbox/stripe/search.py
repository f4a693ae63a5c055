"""Search by a query such as email:'lea@example.com' AND created>1777593600; its index lags."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.stripe.errors import invalid
from integrations_pipeline.sandbox.stripe.expansion import expanded
from integrations_pipeline.sandbox.stripe.lists import StripeCall, version
from integrations_pipeline.sandbox.stripe.parameters import page_size, parsed
from integrations_pipeline.sandbox.stripe.versions import rendered
from integrations_pipeline.sandbox.tables import Record

FIELDS = {
    "customers": {"created", "email", "name", "phone"},
    "invoices": {"created", "currency", "customer", "number", "status", "total"},
    "payment_intents": {"amount", "created", "currency", "customer", "status"},
    "prices": {"active", "currency", "product", "type"},
    "products": {"active", "description", "name", "shippable", "url"},
    "subscriptions": {"created", "status"},
}
_VALUE = r"""(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s'"]+))"""
_CLAUSE = re.compile(
    r"""\s*(?P<not>-?)(?:metadata\[['"](?P<key>[^'"]+)['"]\]|(?P<field>\w+))"""
    rf"(?P<op>>=|<=|[:~><]){_VALUE}\s*"
)
_JOINT = re.compile(r"(AND|OR)(?=\s)", re.IGNORECASE)
_SHORTEST_PART = 3
Test = Callable[[Record], bool]


def searched(resource: str) -> Callable[[StripeCall], Reply]:
    """The search endpoint of a resource: newest first, pages by an opaque token."""

    def handler(call: StripeCall) -> Reply:
        asked = parsed(call.request.pairs, {"query", "limit", "page", "expand"})
        matches = _tests(asked.plain.get("query", ""), resource)
        moment = call.now - call.config.stripe_search_lag_seconds
        rows = [row for row in call.data.as_of(resource, moment) if matches(row)]
        start, limit = _offset(asked.plain.get("page")), page_size(asked)
        more = start + limit < len(rows)
        page = rows[start : start + limit]
        body = {
            "object": "search_result",
            "url": call.request.path,
            "has_more": more,
            "data": [rendered(record, version(call)) for record in page],
            "next_page": _token(start + limit) if more else None,
        }
        return Reply(expanded(call.data, body, asked.lists.get("expand", []), version(call)))

    return handler


def _tests(query: str, resource: str) -> Test:
    """Clauses joined by AND or by OR, not by both."""
    tests: list[Test] = []
    joints: set[str] = set()
    position = 0
    while True:
        clause = _CLAUSE.match(query, position)
        if clause is None:
            raise _unreadable(query)
        tests.append(_test(clause, resource))
        position = clause.end()
        if position == len(query):
            break
        joint = _JOINT.match(query, position)
        if joint is None:
            raise _unreadable(query)
        joints.add(joint[1].upper())
        position = joint.end()
    if len(joints) > 1:
        raise invalid("AND and OR cannot be combined in a query.", "query", "parameter_invalid")
    together = any if joints == {"OR"} else all
    return lambda record: together(test(record) for test in tests)


def _test(clause: re.Match[str], resource: str) -> Test:
    name, key = clause["field"], clause["key"]
    if key is None and name not in FIELDS[resource]:
        message = f"Field `{name}` is an unsupported search field for {resource}."
        raise invalid(message, "query", "parameter_invalid")
    quoted = clause["single"] if clause["single"] is not None else clause["double"]
    wanted = clause["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    holds = _comparison(clause["op"], None if clause["bare"] == "null" else wanted)

    def test(record: Record) -> bool:
        value = record["metadata"].get(key) if key is not None else record.get(name)
        return holds(value) != bool(clause["not"])

    return test


def _comparison(operator: str, wanted: str | None) -> Callable[[Any], bool]:
    if wanted is None:
        return lambda value: value is None
    folded = wanted.casefold()
    if operator == ":":
        return lambda value: value is not None and str(value).casefold() == folded
    if operator == "~":
        if len(wanted) < _SHORTEST_PART:
            raise invalid("A substring has at least 3 characters.", "query", "parameter_invalid")
        return lambda value: value is not None and folded in str(value).casefold()
    if not re.fullmatch(r"-?\d+", wanted):
        raise _unreadable(wanted)
    return lambda value: value is not None and _ordered(operator, int(value), int(wanted))


def _ordered(operator: str, value: int, bound: int) -> bool:
    if operator in {">=", "<="} and value == bound:
        return True
    return value > bound if operator[0] == ">" else value < bound


def _unreadable(query: str) -> Exception:
    return invalid(f"We were unable to parse your search query: {query}", "query")


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _offset(token: str | None) -> int:
    try:
        return int(base64.urlsafe_b64decode(token)) if token else 0
    except (binascii.Error, ValueError) as error:
        raise invalid("Invalid page", "page", "parameter_invalid") from error
