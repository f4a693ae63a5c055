"""django-oauth-toolkit on loopback: refresh tokens rotate, a second use ends their family.

    python -m tests.integration.oauth_server FOLDER REDIRECT_URI CLIENT_ID CLIENT_SECRET LIFE

prints its port. Everybody is logged in as ada and consents. `/counts` tells the requests of the
token endpoint, as `<grant type> <status> <error>`, and others by path and status.
"""

import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

VIEWS = f"{__package__}.views"


def configure(folder: Path, life: int) -> None:
    """Django's settings."""
    settings.configure(
        SECRET_KEY="only-for-tests",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=VIEWS,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        MIDDLEWARE=[f"{VIEWS}.count_requests", f"{VIEWS}.log_everybody_in"],
        # the usual ones take a good part of a second, and the client proves itself every time
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": folder / "oauth.sqlite3",
                "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
            }
        },
        OAUTH2_PROVIDER={
            "ACCESS_TOKEN_EXPIRE_SECONDS": life,
            "ROTATE_REFRESH_TOKEN": True,
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
            "PKCE_REQUIRED": True,
            "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
            "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
            "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
            "SCOPES": {"read": "Read"},
        },
    )


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 256


def prepare(redirect_uri: str, client_id: str, client_secret: str) -> None:
    """The database, ada and the client."""
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    User.objects.create_user("ada")
    Application.objects.create(
        name="integrations",
        client_id=client_id,
        client_secret=client_secret,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=redirect_uri,
        skip_authorization=True,
    )


if __name__ == "__main__":
    configure(Path(sys.argv[1]), int(sys.argv[5]))
    django.setup()
    prepare(*sys.argv[2:5])
    WSGIRequestHandler.log_message = lambda *_: None
    server = make_server("127.0.0.1", 0, get_wsgi_application(), _Server)
    print(server.server_port, flush=True)
    server.serve_forever()
