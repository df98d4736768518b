"""Union-find over pseudonyms: which identifiers name the same thing."""

from __future__ import annotations

from collections.abc import Iterable


class Links:
    """Disjoint sets whose representative does not depend on the order of the links (the smallest member)."""

    __slots__ = ("_parent",)

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._parent: dict[bytes, bytes] = {}
        for one, other in pairs:
            self.join(one, other)

    def join(self, one: bytes, other: bytes) -> None:
        """Say that two identifiers name the same thing."""
        a, b = self.root(one), self.root(other)
        if a != b:
            small, large = (a, b) if a < b else (b, a)
            self._parent[large] = small

    def root(self, member: bytes) -> bytes:
        """The representative of a member; a stranger represents itself."""
        parent = self._parent
        while (above := parent.get(member)) is not None:
            if (further := parent.get(above)) is not None:  # the path is halved: a long chain is walked once
                parent[member] = further
            member = above
        return member
