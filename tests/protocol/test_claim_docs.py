"""The printed claim tables: good vectors fit `signed.cddl`, bad ones do not, and every claim has its meaning."""

import json
import os
import unittest

import pycddl

from weldgate_protocol import claim_docs, cose, keyset, order, reasons, token

FOLDER = os.getenv("WELDGATE_VECTORS", "tests/vectors")


def cases(name):
    """Return a file's cases that carry an envelope as bytes."""
    with open(FOLDER + "/" + name + ".json") as file:
        found = json.load(file)[1:]
    return [case for case in found if "hex" in case and not case["hex"].startswith(b"WG1:".hex())]


def schema(rule):
    """Return the schema with one rule in front; `.cbor` is followed by hand, pycddl trips over it inside arrays."""
    return pycddl.Schema(
        "root = " + rule + "\n" + claim_docs.render().replace(".cbor header", "").replace(".cbor claims", "")
    )


def fits(one, data):
    """Tell whether bytes fit a schema."""
    try:
        one.validate_cbor(data)
    except pycddl.ValidationError:
        return False
    return True


class SignedCddlTest(unittest.TestCase):
    """Whoever has only the text and the CDDL reads our objects."""

    def test_good_objects_fit(self):
        """M-TOK-03: envelope, header and claims of every good vector fit their rules."""
        envelope, header = schema("envelope"), schema("header")
        rules = {kind.decode(): schema(kind.decode() + "-claims") for kind in [*order.TABLES, order.KEY_SET]}
        rules["token"] = schema("token-claims")
        for name, kind in (("token", "token"), ("order", ""), ("keyset", "key-set")):
            for case in cases(name):
                if "expect" in case:
                    with self.subTest(name=case["name"]):
                        data = bytes.fromhex(case["hex"])
                        sign1 = cose.parse_sign1(data)
                        self.assertTrue(fits(envelope, data))
                        self.assertTrue(fits(header, sign1.protected))
                        self.assertTrue(fits(rules[kind or case["kind"]], sign1.payload))

    def test_incomplete_claims_do_not_fit(self):
        """M-TOK-09: what lacks a claim does not fit."""
        rule = schema("token-claims")
        for case in cases("token"):
            if case.get("error") == reasons.TOKEN_MISSING_CLAIM:
                with self.subTest(name=case["name"]):
                    self.assertFalse(fits(rule, cose.parse_sign1(bytes.fromhex(case["hex"])).payload))

    def test_tables_name_every_claim(self):
        """Each claim stands in the Markdown with its label."""
        for text, tables in (
            (claim_docs.token_markdown(), [token.TABLE]),
            (claim_docs.key_set_markdown(), [keyset.TABLE, keyset.KEY_TABLE]),
        ):
            for table in tables:
                for row in table:
                    self.assertIn("| %d | %s |" % row[:2], text)
        orders = claim_docs.orders_markdown()
        for kind, (scope, table) in order.TABLES.items():
            self.assertIn("| %s | %d |" % (kind.decode(), scope), orders)
            self.assertIn("%d %s" % table[-1][:2], orders)
