"""What watches the platform: /healthz for a load balancer, /metrics for Prometheus."""

import hmac

from django.conf import settings
from django.db import Error, connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from weldgate_platform.registry.models import Chip, Machine

__all__ = ["healthz", "metrics"]


def healthz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 while every database answers, 503 and which one does not otherwise."""
    states = {}
    for alias in connections:
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
            states[alias] = "ok"
        except Error:
            states[alias] = "down"
    healthy = all(state == "ok" for state in states.values())
    return JsonResponse({"ok": healthy, "databases": states}, status=200 if healthy else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with counts for Prometheus, who must show the token of `secrets/metrics.token`."""
    shown = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(shown, f"Bearer {settings.PLATFORM_METRICS_TOKEN}".encode()):
        return HttpResponse("Authorization: Bearer with the token of secrets/metrics.token\n", status=401)
    registry = CollectorRegistry()
    for name, text, count in (
        ("weldgate_machines", "Machines in the registry that are in use", Machine.objects.in_use().count()),
        ("weldgate_machines_fitted", "Machines with a chip", Machine.objects.fitted().count()),
        ("weldgate_chips", "Chips known", Chip.objects.count()),
    ):
        Gauge(name, text, registry=registry).set(count)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
