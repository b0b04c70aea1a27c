"""A site's issuer: its root secret, two root keys and issuer keys, and what it signs with them.

Kept in a folder of mode 0700, files 0600: `root.secret` (hex), `root-online.pem`, `root-offline.pem`, `key-<name>.pem`
and `issuer.json` (`index`). `root-offline.pem` and the emergency key are meant to be moved to a safe place: the rest
works without them, since `issuer.json` keeps their public halves.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weldgate_issuer.errors import IssuerError
from weldgate_issuer.files import read_secret, write_secret
from weldgate_issuer.index import Index
from weldgate_issuer.keys import ChipSecrets, IssuerKey, SigningKey, new_root_secret
from weldgate_issuer.orders import issue_key_set, issue_order
from weldgate_issuer.tokens import issue_token
from weldgate_protocol import claims, cose, keyset, order, reasons, token
from weldgate_protocol import keys as chip_keys

__all__ = ["Issuer"]

ROOT_NAMES = ("online", "offline")
_DAY_S = 86400
_KEY_LIFE_S = 730 * _DAY_S
_DEFAULT_KEYS = (
    ("start", keyset.SCOPE_START, token.LIFE_PERMIT_MAX_S),
    ("service", keyset.SCOPE_MAINTENANCE | keyset.SCOPE_CONFIGURATION, token.LIFE_MAX_S),
    ("emergency", keyset.SCOPE_EMERGENCY, token.LIFE_EMERGENCY_MAX_S),
)


class Issuer:
    """Everything a site signs with. Versions are counted under a lock and kept before they are used."""

    def __init__(
        self,
        root_secret: bytes,
        roots: Mapping[str, SigningKey],
        keys: Sequence[IssuerKey],
        index: Index,
        folder: Path | None = None,
    ) -> None:
        """Put an issuer together; usually `generate`, `create` or `open` does.

        Args:
            root_secret: 32 bytes that every chip's keys come from.
            roots: the root keys at hand, by name.
            keys: the issuer keys at hand.
            index: public halves and limits of all keys, at hand or not, and the versions given out.
            folder: where it is kept; None for one that lives in memory only.
        """
        self.root_secret = root_secret
        self.roots = dict(roots)
        self.keys = tuple(keys)
        self.index = index
        self._folder = folder
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Issuer({len(self.keys)} keys, {self._folder or 'in memory'})"

    @property
    def root_publics(self) -> tuple[bytes, ...]:
        """The public halves of both root keys, 64 bytes each: what a chip is born with."""
        return self.index.roots

    @classmethod
    def generate(cls, now_s: int, area: str = "", alg: int = cose.ES256) -> Issuer:
        """Draw a new site in memory: keys `start`, `service` and `emergency`, for two years.

        Args:
            now_s: Unix seconds.
            area: prefix of the area codes its keys are for, "" for everywhere.
            alg: what the issuer keys sign by, ES256 or `cose.SM2_SM3`; the root keys sign by ES256.
        """
        roots = {name: SigningKey.generate() for name in ROOT_NAMES}
        keys = [
            IssuerKey(
                SigningKey.generate(alg).private,
                name=name,
                scopes=scopes,
                not_before_s=now_s - _DAY_S,
                expires_s=now_s + _KEY_LIFE_S,
                area=area,
                max_life_s=max_life_s,
            )
            for name, scopes, max_life_s in _DEFAULT_KEYS
        ]
        publics = tuple(root.public64 for root in roots.values())
        return cls(new_root_secret(), roots, keys, Index(publics, {key.name: key.trusted() for key in keys}))

    @classmethod
    def create(cls, folder: Path, now_s: int, area: str = "") -> Issuer:
        """Draw a new site and keep it in a folder that does not hold one yet.

        Raises:
            IssuerError: TOOL_EXISTS.
        """
        issuer = cls.generate(now_s, area)
        issuer.save(folder)
        return issuer

    def save(self, folder: Path) -> None:
        """Write the whole issuer into a folder that does not hold one yet, and keep it there from now on.

        Raises:
            IssuerError: TOOL_EXISTS.
        """
        if (folder / "issuer.json").exists() or (folder / "root.secret").exists():
            raise IssuerError(reasons.TOOL_EXISTS, f"{folder} already holds a site's keys")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(folder / "root.secret", self.root_secret.hex().encode() + b"\n")
        for name, root in self.roots.items():
            write_secret(folder / f"root-{name}.pem", root.to_pem())
        for key in self.keys:
            write_secret(folder / f"key-{key.name}.pem", key.to_pem())
        write_secret(folder / "issuer.json", self.index.to_json())  # last: a folder without it is no site
        self._folder = folder

    @classmethod
    def open(cls, folder: Path) -> Issuer:
        """Read a site's issuer from its folder; keys that were moved away are simply not at hand.

        Raises:
            IssuerError: TOOL_NOT_FOUND, TOOL_PERMISSIONS, TOOL_CONFIG or KEY_MALFORMED.
        """
        index = Index.from_json(read_secret(folder / "issuer.json"))
        root_secret = read_secret(folder / "root.secret")
        roots = {}
        for name in ROOT_NAMES:
            path = folder / f"root-{name}.pem"
            if path.exists():
                roots[name] = SigningKey.from_pem(read_secret(path))
        keys = []
        for name, trusted in index.keys.items():
            path = folder / f"key-{name}.pem"
            if path.exists():
                keys.append(IssuerKey.from_parts(name, read_secret(path), trusted))
        return cls(_parse_root_secret(root_secret), roots, keys, index, folder)

    def chip_secrets(self, device: bytes, generation: int = 0) -> ChipSecrets:
        """Derive one chip's keys; see `ChipSecrets.derive`."""
        return ChipSecrets.derive(self.root_secret, device, generation)

    def key_for(self, scope: int) -> IssuerKey:
        """Return the first key at hand that has a scope.

        Raises:
            IssuerError: TOOL_NOT_FOUND.
        """
        for key in self.keys:
            if key.scopes & scope:
                return key
        raise IssuerError(reasons.TOOL_NOT_FOUND, f"no issuer key with scope {scope} at hand")

    def issue_token(self, *, purpose: int = token.PURPOSE_START, **rest: Any) -> bytes:
        """Sign a token with the key for its purpose; the arguments are those of `tokens.issue_token`."""
        if purpose not in token.SCOPES:
            raise IssuerError(reasons.TOKEN_CLAIM_RANGE, f"purpose {purpose}, only {sorted(token.SCOPES)}")
        return issue_token(self.key_for(token.SCOPES[purpose]), purpose=purpose, **rest)

    def issue_order(self, kind: bytes, *, issued_s: int, **rest: Any) -> bytes:
        """Sign an order with the key for its kind; a version is given out where the kind has one and none is passed.

        The arguments are those of `orders.issue_order`.
        """
        if kind not in order.TABLES:
            raise IssuerError(reasons.ORDER_UNSUPPORTED, f"no order {kind.decode(errors='replace')} can be issued here")
        key = self.key_for(order.TABLES[kind][0])
        if kind in (order.CONFIG, order.REVOCATIONS) and rest.get("version") is None:
            rest["version"] = self.next_version(kind, issued_s)
        return issue_order(kind, key, issued_s=issued_s, **rest)

    def issue_rekey(self, device: bytes, generation: int, *, issued_s: int, life_s: int = 7 * _DAY_S) -> bytes:
        """Sign the order that brings a chip the keys of its next generation; see `orders.issue_order`.

        Args:
            device: the chip, 8 bytes.
            generation: the one in force, whose K_seal wraps the new keys.
            issued_s: now, Unix seconds.
            life_s: how long the order may take to reach its chip.
        """
        new = self.chip_secrets(device, generation + 1)
        order_id = secrets.token_bytes(claims.ID_BYTES)
        k_seal = self.chip_secrets(device, generation).seal
        wrapped = chip_keys.wrap(k_seal, order_id, generation + 1, new.up + new.down + new.seal)
        return self.issue_order(
            order.REKEY,
            device=device,
            issued_s=issued_s,
            life_s=life_s,
            order_id=order_id,
            version=generation + 1,
            wrapped=wrapped,
        )

    @staticmethod
    def key_from(folder: Path, pem: Path) -> IssuerKey:
        """Read one issuer key that is kept elsewhere (the emergency key in its safe), with the limits the site knows.

        Args:
            folder: the site's issuer; its `issuer.json` is enough, no secret is read there.
            pem: the key's file, mode 0600.

        Raises:
            IssuerError: TOOL_NOT_FOUND, also for a key that this site does not know; TOOL_PERMISSIONS, TOOL_CONFIG or
                KEY_MALFORMED.
        """
        index = Index.from_json(read_secret(folder / "issuer.json"))
        content = read_secret(pem)
        kid = SigningKey.from_pem(content).kid
        for name, trusted in index.keys.items():
            if trusted.kid == kid:
                return IssuerKey.from_parts(name, content, trusted)
        raise IssuerError(reasons.TOOL_NOT_FOUND, f"{pem}: key {kid.hex()} is none of this site's issuer keys")

    def issue_key_set(self, *, issued_s: int, life_s: int = 400 * _DAY_S, root: str = "online") -> bytes:
        """Sign the set of all issuer keys with a root key; see `orders.issue_key_set`."""
        if root not in self.roots:
            raise IssuerError(reasons.TOOL_NOT_FOUND, f"root key {root} is not at hand")
        version = self.next_version(order.KEY_SET, issued_s)
        trusted = list(self.index.keys.values())
        return issue_key_set(self.roots[root], trusted, version=version, issued_s=issued_s, life_s=life_s)

    def next_version(self, kind: bytes, now_s: int) -> int:
        """Give out the next version of a kind of object, max(previous + 1, now), kept before it is returned."""
        name = kind.decode()
        with self._lock:
            version = max(self.index.versions.get(name, 0) + 1, now_s)
            self.index.versions[name] = version
            if self._folder is not None:
                write_secret(self._folder / "issuer.json", self.index.to_json())
        return version


def _parse_root_secret(text: bytes) -> bytes:
    """Read the content of `root.secret`."""
    try:
        secret = bytes.fromhex(text.decode().strip())
    except ValueError as e:
        raise IssuerError(reasons.KEY_MALFORMED, "root.secret is not hexadecimal") from e
    if len(secret) != 32:
        raise IssuerError(reasons.KEY_MALFORMED, f"root.secret of {len(secret)} bytes, only 32")
    return secret
