"""/healthz and /metrics."""

import pytest
from django.db import DatabaseError, connections
from django.test import Client


def test_healthy_platform_says_so() -> None:
    """With each database by its name."""
    response = Client().get("/healthz")

    assert (response.status_code, response.json()) == (
        200,
        {"ok": True, "databases": {"default": "ok", "ingest": "ok"}},
    )


def test_database_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """503, so that a load balancer goes elsewhere."""

    def down() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(connections["ingest"], "cursor", down)

    response = Client().get("/healthz")

    assert response.status_code == 503
    assert response.json()["databases"] == {"default": "ok", "ingest": "down"}


def test_metrics_count_for_who_shows_the_token(settings, fitted) -> None:
    """Nobody else learns how many machines there are."""
    asked = Client().get("/metrics")
    wrong = Client().get("/metrics", headers={"Authorization": "Bearer x"})
    right = Client().get("/metrics", headers={"Authorization": f"Bearer {settings.PLATFORM_METRICS_TOKEN}"})

    assert asked.status_code == wrong.status_code == 401
    assert "weldgate_machines 2.0" in right.content.decode()
    assert "weldgate_machines_fitted 1.0" in right.content.decode()
