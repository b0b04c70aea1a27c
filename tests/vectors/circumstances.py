"""The circumstances that the vectors of key sets, tokens and orders are judged in, on both interpreters."""

import json
import os

from weldgate_protocol import claims, keyset


def load(name):
    """Return (setup, cases) of a file of vectors that begins with its setup."""
    with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/" + name) as file:
        cases = json.load(file)
    return cases[0]["setup"], cases[1:]


def data_of(case):
    """Return what a case hands to the verifier."""
    return case["text"] if "text" in case else bytes.fromhex(case["hex"])


def context(setup, changes):
    """Return the context that the vectors are judged in, with a case's own changes."""
    given = {}
    given.update(setup)
    given.update(changes)
    used = given["used"]
    return claims.Context(
        bytes.fromhex(given["device"]),
        given["area"],
        keyset.decode(bytes.fromhex(given["key_set"])) if given["key_set"] else None,
        given["now_s"],
        given["quality"],
        lambda id_: id_.hex() in used,
        roots=[bytes.fromhex(root) for root in given["roots"]],
        revoked_tokens=[bytes.fromhex(id_) for id_ in given["revoked_tokens"]],
        revoked_keys=[bytes.fromhex(id_) for id_ in given["revoked_keys"]],
        pruned_expiry_s=given["pruned_expiry_s"],
        ids_from_s=given["ids_from_s"],
        clock_alarm=bytes.fromhex(given["clock_alarm"]) if given["clock_alarm"] else None,
        versions={kind.encode(): version for kind, version in given["versions"].items()},
        locks=[bytes.fromhex(id_) for id_ in given["locks"]],
        alarms=[bytes.fromhex(id_) for id_ in given["alarms"]],
    )
