"""Signing in: few failures lock a name, many an address, time opens both; a right password opens neither."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from weldgate_platform.accounts import lockout
from weldgate_platform.accounts.models import SignIn, Try, User
from weldgate_platform.accounts.roles import Role
from weldgate_platform.audit.models import Entry

from .conftest import PASSWORD

NOW = timezone.now()


def test_name_is_locked_by_its_fifth_failure_for_a_quarter_of_an_hour() -> None:
    """And by no sooner one; the lock counts from the oldest of the five."""
    for minute in range(lockout.NAME_MAX):
        assert lockout.wait_s("chen", "10.0.0.1", NOW + timedelta(minutes=minute)) == 0
        lockout.note_failure("chen", "10.0.0.1", NOW + timedelta(minutes=minute))

    last = NOW + timedelta(minutes=4)
    assert lockout.wait_s(" CHEN ", "10.0.0.2", last) == 11 * 60 + 1
    assert lockout.wait_s("wang", "10.0.0.1", last) == 0
    assert lockout.wait_s("chen", None, NOW + lockout.WINDOW) == 0


def test_address_is_locked_by_many_failures_of_any_name() -> None:
    """So that one who tries every name once is stopped too."""
    for number in range(lockout.ADDRESS_MAX):
        lockout.note_failure(f"name{number}", "10.0.0.1", NOW)

    assert lockout.wait_s("another", "10.0.0.1", NOW) > 0
    assert lockout.wait_s("another", "10.0.0.2", NOW) == 0


def test_tries_hold_no_name() -> None:
    """People type passwords into the wrong field."""
    lockout.note_failure("my-password", "10.0.0.1", NOW)

    assert "my-password" not in str(Try.objects.values())


@pytest.fixture
def user(county):
    return county.user(Role.COUNTY, area=county.county)


def test_right_password_signs_in_goes_on_and_is_listed(user) -> None:
    """One goes where one wanted; the device stands in the list; the log has it."""
    client = Client()

    response = client.post("/sign-in", {"username": user.username, "password": PASSWORD, "next": "/machines"})

    assert (response.status_code, response["Location"]) == (302, "/machines")
    assert SignIn.objects.get().user == user
    assert Entry.objects.get().action == "account.sign-in"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_sign_in_leads_nowhere_else(user, target: str) -> None:
    """An address outside is not gone to."""
    response = Client().post("/sign-in", {"username": user.username, "password": PASSWORD, "next": target})

    assert response["Location"] == "/"


@pytest.mark.parametrize("typed", ["CHEN", " chen ", "ｃｈｅｎ"])
def test_name_has_one_form_wherever_it_is_typed(typed: str) -> None:
    """Entered on the admin page or at sign-in: a phone's keyboard begins with a capital, or writes full-width."""
    operator = User.objects.create_superuser("operator", PASSWORD)
    admin = Client()
    admin.force_login(operator)
    form = {
        "username": typed, "name": "", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD,
        "assignments-TOTAL_FORMS": 0, "assignments-INITIAL_FORMS": 0,
    }  # fmt: skip

    assert admin.post("/admin/accounts/user/add/", form).status_code == 302

    assert User.objects.exclude(pk=operator.pk).get().username == "chen"
    assert User.objects.get_by_natural_key(typed).username == "chen"
    assert Client().post("/sign-in", {"username": typed, "password": PASSWORD}).status_code == 302
    lockout.note_failure(typed, None, NOW)
    lockout.forget("chen")
    assert not Try.objects.exists()


def test_wrong_password_is_told_counted_and_locks(user) -> None:
    """The answer is the same for a name that is not there; after five even the right password waits."""
    client = Client()
    wrong = client.post("/sign-in", {"username": user.username, "password": "x"})
    nobody = client.post("/sign-in", {"username": "nobody", "password": "x"})
    for _ in range(lockout.NAME_MAX - 1):
        client.post("/sign-in", {"username": user.username, "password": "x"})

    right = client.post("/sign-in", {"username": user.username, "password": PASSWORD})

    assert wrong.status_code == nobody.status_code == 403
    assert right.status_code == 429
    assert "分钟" in right.content.decode()
    assert client.get("/").status_code == 302


def test_inactive_user_does_not_get_in(user) -> None:
    """Nor does one who is signed in already get any further."""
    client = Client()
    client.force_login(user)
    user.is_active = False
    user.save()

    assert client.get("/").status_code == 302
    assert Client().post("/sign-in", {"username": user.username, "password": PASSWORD}).status_code == 403


def test_another_device_can_be_ended_and_nobody_elses(user, county) -> None:
    """A lost phone is signed out from another; the list is one's own."""
    phone, desk = Client(), Client()
    for client in (phone, desk):
        client.post("/sign-in", {"username": user.username, "password": PASSWORD})
    other = county.user(Role.COUNTY, area=county.county)
    stranger = Client()
    stranger.force_login(other)
    lost = SignIn.objects.order_by("pk").first()

    assert stranger.post(f"/devices/{lost.pk}/end").status_code == 404
    assert phone.get("/").status_code == 200
    assert desk.post(f"/devices/{lost.pk}/end").status_code == 302

    assert phone.get("/").status_code == 302
    assert desk.get("/").status_code == 200
