"""What text from outside may not carry into errors and logs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_pipeline.transport.redact import LIMIT, clean

TOKEN = "CJabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"
SECRETS = [
    (f"bad token {TOKEN}", TOKEN),
    ("Authorization: Bearer abc123", "abc123"),
    ("authorization: bearer short", "short"),
    ("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("key sk_live_abc123", "sk_live_abc123"),
    ("key sk_test_abc123", "sk_test_abc123"),
    ("key rk_live_abc123", "rk_live_abc123"),
    ("pat-na1-0123", "pat-na1-0123"),
    ("secret 123e4567-e89b-12d3-a456-426614174000 is wrong", "123e4567"),
    ("user ada@example.com exists", "ada@example.com"),
    ("<ada.lovelace+x@sub.example.co.uk>", "ada.lovelace"),
    ("mailto:ada@example.com", "example.com"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc", "eyJhbGciOiJIUzI1NiJ9"),
    (" ".join(["x" * 40] * 29) + " " + TOKEN, TOKEN[:8]),  # a token that lies across the cut
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secrets_do_not_pass(text, secret) -> None:
    assert secret not in clean(text)


ORDINARY = [
    "You have reached your secondly limit.",
    "Invalid cursor: 'abc' (code 17).",
    "resource not found",
    "Le jeton a expiré : réessayez",
    "",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text) -> None:
    assert clean(text) == text


@pytest.mark.parametrize("mark", ["\n", "\r\n", "\t", "\x00", "\x1b[31m", "\x7f", "\x85", "\u2028"])
def test_the_result_is_one_line_without_control_characters(mark) -> None:
    line = clean(f"first{mark}INFO forged line")

    assert len(line.splitlines()) == 1
    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 for sign in line)


@given(st.text(max_size=2000))
def test_the_result_is_short(text) -> None:
    assert len(clean(text)) <= LIMIT


def test_a_cut_is_shown() -> None:
    assert clean("word " * 200).endswith("…")
