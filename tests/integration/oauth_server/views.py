"""The server's addresses, and the middleware that counts. Imported when Django is set up."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from oauth2_provider.decorators import protected_resource

Answer = Callable[[HttpRequest], HttpResponse]
counts: Counter[str] = Counter()
lock = threading.Lock()


def count_requests(answer: Answer) -> Answer:
    """Count what was answered."""

    def counted(request: HttpRequest) -> HttpResponse:
        response = answer(request)
        name = f"{request.path} {response.status_code}"
        if request.path in {"/o/token/", "/o/revoke_token/"}:
            grant = request.POST.get("grant_type", "revoke")
            error = "" if response.status_code == 200 else json.loads(response.content)["error"]
            name = f"{grant} {response.status_code} {error}".strip()
        with lock:
            counts[name] += 1
        return response

    return counted


def log_everybody_in(answer: Answer) -> Answer:
    """Whoever comes to consent is ada."""

    def logged_in(request: HttpRequest) -> HttpResponse:
        if request.path == "/o/authorize/":
            request.user = User.objects.get(username="ada")
        return answer(request)

    return logged_in


def show_counts(_: HttpRequest) -> JsonResponse:
    """What was asked so far."""
    return JsonResponse(dict(counts))


@protected_resource(scopes=["read"])
def read_thing(request: Any) -> HttpResponse:
    """The resource, for those who may read it."""
    return JsonResponse({"user": request.resource_owner.username})


def show_thing(request: HttpRequest) -> HttpResponse:
    """The resource; it answers 401 to a token that is not valid, as RFC 6750 wants."""
    response = read_thing(request)
    return response if response.status_code == 200 else HttpResponse("{}", status=401)


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("counts", show_counts),
    path("api/thing", show_thing),
]
