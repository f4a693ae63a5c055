"""What commands refuse before they open the store, and how they say what they found."""

import pytest
from rich.console import Console
from typer.testing import CliRunner

from integrations_pipeline import commands, history_commands, terminal
from integrations_pipeline.cli import app
from integrations_pipeline.errors import RequestError, StagedLostError
from integrations_pipeline.mapping_commands import _options
from integrations_pipeline.store.policy import checked_policy
from integrations_pipeline.sync.mapping import checked_mapping
from integrations_pipeline.sync.mapping.steps import described, options_of

LIMITED = [
    ["letters", "list", "acme--crm"],
    ["mapping", "preview", "acme--crm", "contacts", "out"],
    ["outbound", "acme--crm"],
    ["history", "acme--crm"],
]


@pytest.mark.parametrize("limit", ["-3", "0", "10001"])
@pytest.mark.parametrize("words", LIMITED, ids=lambda words: words[0])
def test_a_limit_has_bounds(words, limit) -> None:
    done = CliRunner().invoke(app, [*words, "--limit", limit])

    assert (done.exit_code, "'--limit'" in done.output) == (2, True), done.output


TRANSFORMS = [
    ({"step": "upper"}, "there is no transform upper"),
    ({"step": "case", "to": "upper", "x": 1}, "transform 1 case x: there is no such option"),
    ({"step": "case"}, "transform 1 case to: it is missing"),
    ({"step": "case", "to": "loud"}, "it must be 'lower', 'upper' or 'title'"),
]


@pytest.mark.parametrize(("step", "told"), TRANSFORMS, ids=[one[1][:30] for one in TRANSFORMS])
def test_faults_of_a_mapping_are_told_in_our_words(step, told) -> None:
    values = {"resource": "contacts", "target": "out", "source": "email", "transforms": [step]}

    with pytest.raises(RequestError) as error:
        checked_mapping(values)

    assert told in str(error.value)
    assert "Input" not in str(error.value)


@pytest.mark.parametrize(
    ("rules", "told"), [({"nix": 1}, "no such option"), ({"conflicts": "x"}, "it must be")]
)
def test_faults_of_a_rule_are_told_in_our_words(rules, told) -> None:
    with pytest.raises(RequestError, match=told) as error:
        checked_policy(rules)

    assert "nput" not in str(error.value)


def test_every_transform_tells_its_options_and_their_defaults() -> None:
    told = {name: _options(options_of(name)) for name in described()}

    assert told["case"] == "to (lower|upper|title)"
    assert told["lookup"] == "table (needed), otherwise=fail, ignore_case=false"
    assert told["concat"] == 'fields (needed), separator=" "'
    assert told["hash"] == ""


def test_an_error_can_be_told_without_what_to_do() -> None:
    error = StagedLostError("It is gone.")

    assert error.message == "It is gone."
    assert str(error) == f"It is gone. {StagedLostError.action}"


def job(**more: object) -> dict[str, object]:
    whole = {
        "id": "0a1b2c3d-0000-0000-0000-000000000000",
        "created_at": "11-23 22:01",
        "sync_type": "INCREMENTAL",
        "trigger": "schedule",
        "status": "CANCELLED",
        "seconds": 1234.567,
    }
    counts = dict.fromkeys(("processed", "created", "updated", "deleted", "rejected"), 0)
    return {**whole, **counts, **more}


def shown(monkeypatch, capsys, jobs) -> str:
    monkeypatch.setattr(terminal, "console", Console(width=80))
    terminal.show(history_commands._rows(jobs), False, empty="", spare=("trigger", "sync_type"))
    return str(capsys.readouterr().out)


def test_a_history_fits_into_80_columns(monkeypatch, capsys) -> None:
    counts = {"processed": 123456, "created": 123456, "updated": 99999, "deleted": 999}

    told = shown(monkeypatch, capsys, [job(**counts, rejected=12)])

    assert all(len(line) <= 80 for line in told.splitlines())
    assert [one for one in ("0a1b2c3d ", "CANCELLED ", "1234.6") if one not in told] == []
    assert "schedule" not in told


def test_a_history_leaves_out_counts_that_are_zero(monkeypatch, capsys) -> None:
    told = shown(monkeypatch, capsys, [job(), job(processed=7)])

    assert [one for one in ("read", "schedule", "INCREMENTAL") if one not in told] == []
    assert [one for one in ("new", "changed", "gone", "bad") if one in told] == []


def test_nobody_agrees_where_nobody_is(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)

    with pytest.raises(RequestError, match="Add --yes"):
        commands.agree("Close them?", "closing them", already=False)
    commands.agree("Close them?", "closing them", already=True)
