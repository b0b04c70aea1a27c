"""JSON over TLS: the right authority lets records through, another one is told and lets nothing out."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))  # tests are no package; the worlds stand there
sys.path.insert(0, str(Path(__file__).parent))

import pytest
from test_upstream_mqtt import certificate
from upstream_world import Store, wait_until

from weldgate_simulator.broker import NatsBroker


@pytest.mark.broker
def test_tls_broker_is_verified(tmp_path: Path) -> None:
    """As for packs."""
    authority, other = certificate(tmp_path, "broker"), certificate(tmp_path, "other")
    tls = (tmp_path / "broker.pem", tmp_path / "broker.key")

    with NatsBroker(tmp_path / "nats", tls=tls) as broker, Store(tmp_path) as store:
        good = store.upstream("mqtt-json", name="good", port=broker.port, qos=0, tls_ca_file=authority.name)
        bad = store.upstream("mqtt-json", name="bad", port=broker.port, qos=0, tls_ca_file=other.name)
        store.frames(3_000)
        store.drained(good)
        wait_until(lambda: "CERTIFICATE_VERIFY_FAILED" in bad.status().trouble, bad.status)

        assert bad.status().waiting_rows == 3_000
