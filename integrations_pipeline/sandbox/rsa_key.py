"""RSA keys of service accounts: made up, yet the same after every restart.

A key file that an integration holds must stay good, so the primes follow from the account's
name. That is no secret, and nothing but the sandbox takes what such a key signs.
"""

import base64
from functools import cache

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.tables import Record

_BITS = 1024
_EXPONENT = 65_537
_SMALL = [n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]


@cache
def private_key(account: str) -> rsa.RSAPrivateKey:
    """The key of the account's service account."""
    p, q = _prime(account, "p"), _prime(account, "q")
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, p * q)
    parts = (d % (p - 1), d % (q - 1), pow(q, -1, p))
    return rsa.RSAPrivateNumbers(p, q, d, *parts, public).private_key()


def private_pem(account: str) -> str:
    """The key in the form that key files hold it."""
    key = private_key(account)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def claims_of(statement: str) -> Record:
    """What a JSON Web Token says, believed by nobody yet."""
    try:
        claims = orjson.loads(_decoded(statement.split(".")[1]))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def is_signed(statement: str, account: str) -> bool:
    """Whether the token was signed, by RS256, with the key of the account."""
    content, _, signature = statement.rpartition(".")
    try:
        header = orjson.loads(_decoded(content.partition(".")[0]))
        public = private_key(account).public_key()
        public.verify(_decoded(signature), content.encode(), padding.PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return isinstance(header, dict) and header.get("alg") == "RS256"


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _prime(account: str, name: str) -> int:
    blocks = (digest(account, "rsa", name, place) for place in range(_BITS // 256))
    # The two highest bits make the product as long as it should be.
    number = int("".join(blocks), 16) | 0b11 << (_BITS - 2) | 1
    while not _is_prime(number):
        number += 2
    return number


def _is_prime(number: int) -> bool:
    """Good enough for numbers that nobody chose to deceive."""
    if any(number % small == 0 for small in _SMALL) or number % _EXPONENT == 1:
        return False
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7))
