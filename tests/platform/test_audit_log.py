"""The audit log: appended to, bound by hashes, and every tampering found."""

import pytest
from django.db import connection

from weldgate_platform.accounts.models import User
from weldgate_platform.audit.log import digest_after, head, record, verify
from weldgate_platform.audit.models import Entry


@pytest.fixture
def five() -> list[Entry]:
    user = User.objects.create_user("chen")
    return [record(user, "machine.lock", user, why=f"第{number}次") for number in range(5)]


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_whole_log_is_whole(five) -> None:
    """Numbers from 1 on, each bound to the one before."""
    assert [entry.number for entry in five] == [1, 2, 3, 4, 5]
    assert verify() is None
    assert head() == (5, five[-1].digest)


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE audit_entry SET actor = 'wang' WHERE number = 3", 3),
        ("UPDATE audit_entry SET at_ms = at_ms + 1 WHERE number = 1", 1),
        ("UPDATE audit_entry SET detail = '{}' WHERE number = 5", 5),
        ("DELETE FROM audit_entry WHERE number = 2", 2),
        ("UPDATE audit_entry SET number = 99 WHERE number = 5", 5),
    ],
)
def test_tampering_is_found_where_it_begins(five, statement: str, number: int) -> None:
    """Changed, dropped or renumbered."""
    _sql(statement)

    fault = verify()

    assert fault is not None
    assert fault.number == number


def test_entry_that_was_changed_together_with_its_own_hash_breaks_the_next(five) -> None:
    """Whoever changes one must write all that follow anew."""
    entry = Entry.objects.get(number=3)
    entry.actor = "wang"
    _sql(f"UPDATE audit_entry SET actor = 'wang', digest = '{digest_after(five[1].digest, entry)}' WHERE number = 3")

    fault = verify()

    assert fault is not None
    assert fault.number == 4


def test_cut_or_rewritten_log_is_found_by_who_kept_its_head(five) -> None:
    """A chain that was written anew is whole in itself; the kept head tells."""
    kept = head()
    _sql("DELETE FROM audit_entry WHERE number = 5")
    assert verify() is None
    assert verify(kept) is not None

    record(None, "machine.unlock", None)

    assert verify() is None
    assert verify(kept) is not None


def test_entries_are_neither_saved_nor_deleted(five) -> None:
    """By anybody who holds one."""
    with pytest.raises(TypeError):
        five[0].save()
    with pytest.raises(TypeError):
        five[0].delete()


def test_entry_goes_with_the_act_that_fails(county) -> None:
    """No word of what was rolled back."""
    from django.db import transaction

    def act() -> None:
        with transaction.atomic():
            record(None, "machine.lock", county.here.machine)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()
    assert not Entry.objects.exists()


def test_auditor_reads_and_admin_changes_nothing(signed_in) -> None:
    """Not even the operator has a form for it."""
    operator = User.objects.create_superuser("operator")
    record(operator, "account.create", operator)
    client = signed_in(operator)

    assert client.get("/admin/audit/entry/").status_code == 200
    assert client.get("/admin/audit/entry/add/").status_code == 403
    assert client.post("/admin/audit/entry/1/delete/").status_code == 403
