"""Sealed values: not in the database, not movable, found by a keyed hash."""

import pytest
from django.core.exceptions import FieldError
from django.db import connection

from weldgate_platform.registry.models import Enterprise
from weldgate_platform.sealed import SealedError, keyed_hash, open_sealed, seal
from weldgate_protocol import reasons

NUMBER = "411099190001010008"  # right by its check digit, and nobody's: there is no county 411099


def test_round_trip_differs_each_time() -> None:
    """Two seals of one value tell nobody that it is one."""
    one, other = seal(NUMBER.encode(), "a.B.c"), seal(NUMBER.encode(), "a.B.c")

    assert one != other
    assert open_sealed(one, "a.B.c") == open_sealed(other, "a.B.c") == NUMBER.encode()
    assert NUMBER.encode() not in one


@pytest.mark.parametrize("place", [0, 1, 12, 13, -1])
def test_changed_byte_does_not_open(place: int) -> None:
    """Whichever it is."""
    data = bytearray(seal(b"x", "a.B.c"))
    data[place] ^= 1

    with pytest.raises(SealedError) as caught:
        open_sealed(bytes(data), "a.B.c")

    assert caught.value.code == reasons.STORAGE_UNREADABLE


def test_other_column_and_other_key_do_not_open(settings) -> None:
    """A value that was copied elsewhere, or comes from another platform."""
    data = seal(b"x", "a.B.c")

    with pytest.raises(SealedError):
        open_sealed(data, "a.B.d")
    settings.PLATFORM_IDENTITY_KEY = bytes(32)
    with pytest.raises(SealedError):
        open_sealed(data, "a.B.c")


def test_database_holds_no_plain_text(county) -> None:
    """What Python reads back is not what is stored; a filter on it is refused."""
    enterprise = county.here.enterprise
    enterprise.phone = "13800000000"
    enterprise.save()

    with connection.cursor() as cursor:
        cursor.execute("SELECT phone FROM registry_enterprise WHERE id = %s", [enterprise.pk])
        stored = bytes(cursor.fetchone()[0])
    assert b"13800000000" not in stored
    assert Enterprise.objects.get(pk=enterprise.pk).phone == "13800000000"
    with pytest.raises(FieldError):
        Enterprise.objects.filter(phone="13800000000").exists()


def test_keyed_hash_depends_on_kind_and_key(settings) -> None:
    """Equal numbers of two kinds do not look equal, and nothing can be tried out without the key."""
    one = keyed_hash(NUMBER, "identity")

    assert one == keyed_hash(NUMBER, "identity")
    assert one != keyed_hash(NUMBER, "certificate")
    settings.PLATFORM_SEARCH_KEY = bytes(32)
    assert one != keyed_hash(NUMBER, "identity")
