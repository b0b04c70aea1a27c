"""Affine arithmetic of y² = x³ - 3x + b by the book, for vectors at the edges; nothing here comes from the product."""

from __future__ import annotations

import hashlib

Point = tuple[int, int] | None

__all__ = ["Point", "Textbook", "b32", "pair"]


class Textbook:
    """A curve of prime order n over a prime p."""

    def __init__(self, p: int, n: int, b: int, generator: tuple[int, int]) -> None:
        self.p, self.n, self.b, self.generator = p, n, b, generator

    def number(self, seed: str) -> int:
        """Return a fixed arbitrary scalar."""
        return int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big") % (self.n - 1) + 1

    def add(self, a: Point, b: Point) -> Point:
        """Add two points."""
        if a is None or b is None:
            return a or b
        if a[0] == b[0]:
            if (a[1] + b[1]) % self.p == 0:
                return None
            slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, self.p)
        else:
            slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, self.p)
        x = (slope * slope - a[0] - b[0]) % self.p
        return x, (slope * (a[0] - x) - a[1]) % self.p

    def times(self, scalar: int, point: Point) -> Point:
        """Multiply a point."""
        result: Point = None
        for bit in f"{scalar % self.n:b}":
            result = self.add(result, result)
            if bit == "1":
                result = self.add(result, point)
        return result

    def negative(self, point: Point) -> Point:
        """Return the opposite point."""
        return None if point is None else (point[0], self.p - point[1])

    def lift(self, x: int) -> Point:
        """Return the point with this x, if there is one."""
        square = (x * x * x - 3 * x + self.b) % self.p
        y = pow(square, (self.p + 1) // 4, self.p)
        return (x, y) if y * y % self.p == square else None

    def public(self, d: int) -> bytes:
        """Return the public key of a private one."""
        point = self.times(d, self.generator)
        if point is None:
            raise ValueError("key 0")
        return pair(*point)


def b32(value: int) -> bytes:
    """Return 32 bytes, big-endian."""
    return value.to_bytes(32, "big")


def pair(a: int, b: int) -> bytes:
    """Return two numbers on 64 bytes."""
    return b32(a) + b32(b)
