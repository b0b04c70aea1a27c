"""`issuer.json`: what a site's issuer knows besides its secrets, also of keys that are kept elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from weldgate_issuer.errors import IssuerError
from weldgate_protocol import cose, keyset, reasons

__all__ = ["Index"]

_FORMAT = 1


@dataclass
class Index:
    """Public halves, limits and versions; nothing secret."""

    roots: tuple[bytes, ...]
    keys: dict[str, keyset.Key]
    versions: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the file's content."""
        keys = [
            {
                "name": name,
                "public": key.public.hex(),
                "scopes": key.scopes,
                "area": key.area,
                "max_life_s": key.max_life_s,
                "not_before_s": key.not_before_s,
                "expires_s": key.expires_s,
                "alg": key.alg,
            }
            for name, key in self.keys.items()
        ]
        roots = [public.hex() for public in self.roots]
        document = {"format": _FORMAT, "roots": roots, "keys": keys, "versions": self.versions}
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Index:
        """Read the file's content.

        Raises:
            IssuerError: TOOL_CONFIG, it is not what `to_json` writes.
        """
        try:
            document = json.loads(data)
            if document["format"] != _FORMAT:
                raise IssuerError(reasons.TOOL_CONFIG, f"issuer.json of format {document['format']}, only {_FORMAT}")
            roots = tuple(bytes.fromhex(text) for text in document["roots"])
            keys = {str(entry["name"]): _read_key(entry) for entry in document["keys"]}
            versions = {str(kind): int(version) for kind, version in document["versions"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as e:
            raise IssuerError(reasons.TOOL_CONFIG, f"issuer.json is damaged: {type(e).__name__} {e}") from e
        return cls(roots, keys, versions)


def _read_key(entry: dict[str, str | int]) -> keyset.Key:
    """Read one key's limits; its id follows from its public half."""
    public = bytes.fromhex(str(entry["public"]))
    alg = int(entry.get("alg", cose.ES256))  # not there in what was written before there was a choice
    return keyset.Key(
        cose.key_id(public, alg),
        public,
        int(entry["scopes"]),
        str(entry["area"]),
        int(entry["max_life_s"]),
        int(entry["not_before_s"]),
        int(entry["expires_s"]),
        alg,
    )
