"""Facts that a service tells: taken where they fit, refused where tokens must not follow them."""

import pytest
from structlog.testing import capture_logs

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import Fact, OAuth
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.oauth.facts import LONGEST, read_facts, sound_facts

HOST = Fact("host", "api.host", r"https://[a-z]+\.example")
READ = [
    (Fact("id", "id"), {"id": "7"}, {"id": "7"}),
    (Fact("id", "id"), {"id": 7}, {"id": "7"}),
    (Fact("id", "a.0.id"), {"a": [{"id": "x"}]}, {"id": "x"}),
    (Fact("id", "id"), {"id": None}, {}),
    (Fact("id", "id"), {"id": ""}, {}),
    (Fact("id", "id"), {}, {}),
    (Fact("id", "a.id"), {"a": None}, {}),
    (Fact("id", "id"), [], {}),
    (Fact("id", "id"), None, {}),
    (HOST, {"api": {"host": "https://us.example"}}, {"host": "https://us.example"}),
    (Fact("key", "key", r".+-(?P<dc>[a-z]+\d+)"), {"key": "x-us6"}, {"key": "x-us6", "dc": "us6"}),
    (Fact("key", "key", r"x(-(?P<dc>\w+))?"), {"key": "x"}, {"key": "x"}),
    (Fact("name", "name"), {"name": "Müller\n& Söhne"}, {"name": "Müller\n& Söhne"}),
]


@pytest.mark.parametrize(("fact", "answer", "found"), READ)
def test_a_fact_is_read_where_it_is(fact, answer, found) -> None:
    assert read_facts((fact,), answer, "Acme") == found


FORGED = [
    "http://us.example",
    "https://us.example.evil.com",
    "https://us.example/",
    "https://us.example\n",
    "\nhttps://us.example",
    "https://evil.com#https://us.example",
    "https://US.example",
    ["https://us.example"],
    {"host": "https://us.example"},
    1.5,
    7,
]


@pytest.mark.parametrize("value", FORGED)
def test_a_fact_of_another_form_is_refused(value) -> None:
    with pytest.raises(AnswerError, match="Acme told a host that can't be right") as refused:
        read_facts((HOST,), {"api": {"host": value}}, "Acme")

    assert str(value) not in str(refused.value)


UNSOUND = ["x" * (LONGEST + 1), ["a"], {"a": 1}, [], {}, 0.5, True, "a\x00b", "\ud800"]


@pytest.mark.parametrize("value", UNSOUND)
def test_what_is_no_name_is_refused_even_where_any_text_fits(value) -> None:
    with pytest.raises(AnswerError):
        read_facts((Fact("name", "name"),), {"name": value}, "Acme")


def test_one_bad_fact_spoils_the_answer() -> None:
    with pytest.raises(AnswerError):
        read_facts((Fact("id", "id"), HOST), {"id": "1", "api": {"host": "x"}}, "Acme")


def test_of_a_refresh_only_the_bad_fact_is_left_out_and_named_in_the_log() -> None:
    with capture_logs() as logged:
        found = sound_facts(
            (Fact("id", "id"), HOST, Fact("name", "name")),
            {"id": "1", "api": {"host": "https://evil.com"}, "name": "Acme"},
            "Acme",
        )

    assert found == {"id": "1", "name": "Acme"}
    (line,) = logged
    assert (line["log_level"], line["fact"]) == ("warning", "host")
    assert "evil.com" not in str(logged)


FACTS = [
    (name, fact)
    for name, connector in CONNECTORS.items()
    for way in connector.ways.values()
    for fact in (
        *(way.callback_facts if isinstance(way, OAuth) else ()),
        *(way.token_facts if isinstance(way, OAuth) else ()),
        *(one for call in connector.identity for one in call.facts),
        *(one for call in getattr(way, "discovery", ()) for one in call.facts),
    )
]


@pytest.mark.parametrize(("service", "fact"), FACTS, ids=lambda one: getattr(one, "name", one))
def test_facts_that_become_addresses_take_no_other_host(service, fact) -> None:
    connector = CONNECTORS[service]
    templates = [connector.api_base_url]
    for way in connector.ways.values():
        templates += [getattr(way, "token_url", ""), getattr(way, "api_base_url", "")]
    if not any(f"{{{fact.name}}}" in template for template in templates):
        return
    for forged in ("evil.example/", "evil.example#", "x@evil.example", "http://evil.example"):
        with pytest.raises(AnswerError):
            read_facts((fact,), _at(fact.at, forged), "")


def _at(path: str, value: str):
    head, _, rest = path.partition(".")
    inner = _at(rest, value) if rest else value
    return [inner] if head.isdigit() else {head: inner}
