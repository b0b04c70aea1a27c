"""The issuer: a site's keys, and the tokens, orders and key sets signed with them. Host only.

This module is its public door. Trust flows one way: a root key signs the key set, the key set names the issuer keys
with their scopes, an issuer key signs tokens and orders, and a chip believes only that chain.
"""

from weldgate_issuer.backup import read_backup, write_backup
from weldgate_issuer.errors import IssuerError
from weldgate_issuer.keys import ChipSecrets, IssuerKey, SigningKey, new_root_secret
from weldgate_issuer.live import answer_challenge, holder_proof, live_text
from weldgate_issuer.orders import issue_key_set, issue_order
from weldgate_issuer.qr import terminal_qr, token_text, write_png
from weldgate_issuer.seals import BROKEN, OPEN, PROVEN, UNPROVABLE, Stretch, judge_seals, seal_keys
from weldgate_issuer.site import Issuer
from weldgate_issuer.tokens import issue_token

__all__ = [
    "BROKEN",
    "OPEN",
    "PROVEN",
    "UNPROVABLE",
    "ChipSecrets",
    "Issuer",
    "IssuerError",
    "IssuerKey",
    "SigningKey",
    "Stretch",
    "answer_challenge",
    "holder_proof",
    "issue_key_set",
    "issue_order",
    "issue_token",
    "judge_seals",
    "live_text",
    "new_root_secret",
    "read_backup",
    "seal_keys",
    "terminal_qr",
    "token_text",
    "write_backup",
    "write_png",
]

__version__ = "0.1.0"
