"""Seeded raw material of the data sets: people, companies, texts and moments.

Everything follows from the account's name and the record's place: no clock, no chance.
"""

import random
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

ANCHOR = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
DAY = 86_400.0
SPAN = 730 * DAY
_BULK_EDIT = ANCHOR - 31 * DAY


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words(
    """Mina Lea Iris Sam Noah Zoë Søren José Łukasz Aiko Priya Omar Fatima Chloé Jürgen Ana
    Björn Nadia Tariq Ingrid Mateo Yuki Olga Pavel Siobhán Renée Kofi Amara Diego Hana Liam Emma
    Oliver Ava Hugo Elena Marek Ines Tomas Leila Arjun Mei Viktor Clara Idris Rosa Felix Nora"""
)
_LAST = _words(
    """Park Moreau Holm Ito García Müller Kowalski Sørensen Tanaka Sharma Haddad Okafor Silva
    Novák Petrov Byrne Dubois Rossi Jensen Lindqvist Mensah Fernández Nakamura Schmidt Walker
    Costa Ivanova Björk Larsen Romero Weiss Kaya Farouk Nguyen Chen Singh O'Connor Laurent Bauer"""
)
_COMPANY = _words(
    """Harbor Northwind Copper Juniper Atlas Cedar Bright Summit Willow Cobalt Maple Orchard
    Granite Lumen Falcon Prairie Delta Ember Sable Tidal Quartz Meadow Beacon Aspen"""
)
_TRADE = _words(
    """Bikes Foods Logistics Labs Energy Textiles Robotics Media Clinics Timber Optics Studios
    Travel Pharma Marine Print Solar Coffee Tools Freight"""
)
CITIES = ("Oslo", "Lyon", "Kyoto", "Austin", "Porto", "Kraków", "Nairobi", "São Paulo", "Leeds")

_ODD = {
    3: "Feedback 🚲🔥 from the café, merci 👩‍👩‍👧‍👦",
    7: """He said "it's 5' 11\\"", then; DROP TABLE tickets;--""",
    11: "Long story. " + "The wheel wobbles at speed and the shop is closed. " * 120,
    13: "line one\nline two\r\n\tindented \\ back\\slash, comma; semicolon | pipe",
    17: "مرحبا بالعالم \u200f(right to left)\u200e e\u0301 zero\u200bwidth 日本語テキスト",
    19: "",
}


@dataclass(frozen=True)
class Company:
    """A made-up company with a domain that cannot exist."""

    name: str
    domain: str


@dataclass(frozen=True)
class Person:
    """A made-up person at a company."""

    first: str
    last: str
    email: str
    phone: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


def chance(account: str, kind: str, place: int) -> random.Random:
    """The dice of one record."""
    return random.Random(f"{account}/{kind}/{place}")


def company(account: str, place: int) -> Company:
    """The company at a place: names repeat after a while, domains do not."""
    turn = chance(account, "companies", 0).randrange(10_000)
    index = place + turn
    first = _COMPANY[index % len(_COMPANY)]
    trade = _TRADE[index // len(_COMPANY) % len(_TRADE)]
    lap = place // (len(_COMPANY) * len(_TRADE))
    number = str(lap + 1) if lap else ""
    domain = f"{first}{trade}{number}.example".lower()
    return Company(f"{first} {trade}{' ' + number if number else ''}", domain)


def person(account: str, kind: str, place: int, domain: str) -> Person:
    """The person at a place of a resource; the place makes the address unique."""
    dice = chance(account, f"person/{kind}", place)
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    phone = f"+1-555-{dice.randrange(1000):03d}-{dice.randrange(10_000):04d}"
    email = f"{_ascii(first)}.{_ascii(last)}{place}@{domain}"
    return Person(first, last, email, phone)


def moments(dice: random.Random, place: int, total: int) -> tuple[float, float]:
    """When the record was created and last updated: creation follows the place.

    A run of neighbours shares one update moment, as after a bulk edit in the service.
    """
    created = ANCHOR - SPAN + (SPAN - DAY) * (place + dice.random()) / max(1, total)
    if total // 3 <= place < total // 3 + total // 20:
        return _whole_ms(created), _BULK_EDIT
    updated = created + (ANCHOR - created) * dice.random() ** 3
    return _whole_ms(created), _whole_ms(updated)


def spread(count: int, total: int) -> frozenset[int]:
    """So many places, evenly spread over the total."""
    return frozenset((number + 1) * total // (count + 1) for number in range(count))


def odd_text(place: int, usual: str) -> str:
    """Now and then a text that trips naive code: emoji, quotes, newlines, great length."""
    return _ODD.get(place % 200, usual)


def is_sparse(place: int) -> bool:
    """Whether all optional fields of the record are null."""
    return place % 200 == 5


def iso_seconds(moment: float) -> str:
    """2026-05-02T10:38:52Z."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_milliseconds(moment: float) -> str:
    """2026-05-02T10:38:52.114Z."""
    text = datetime.fromtimestamp(round(moment, 3), UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _whole_ms(moment: float) -> float:
    return round(moment, 3)


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("ø", "o").replace("Ł", "L"))
    return "".join(letter for letter in plain.lower() if letter.isascii() and letter.isalpha())
