"""Who the hospital writes to: its directory of correspondents, the addresses it uses besides, and its own mailboxes.

All invented. Equipped or not, with one address or several, known by a number or by an address alone; some that nothing ever concerns.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

OWN_DOMAIN: Final = "ch-fictif.mssante.fr"
TRUSTED_DOMAIN: Final = "sante-fictive.example"
"""A domain of the trust space that does not end in ``.mssante.fr``."""
CITIZEN_DOMAIN: Final = "patient.mssante.fr"
TEST_ADDRESS: Final = f"reponse.automatique-test@{CITIZEN_DOMAIN}"
ARCHIVES: Final = f"archives@{OWN_DOMAIN}"
"""A mailbox of the hospital itself: what goes there is no mail to a correspondent."""
SENDERS: Final = (f"sorties@{OWN_DOMAIN}", f"plateforme@{OWN_DOMAIN}", f"medecine.a@{OWN_DOMAIN}")

_OFFICE: Final = "cabinet-fictif.mssante.fr"
_HEADER: Final = "id;rpps;finess;address"
_FREQUENT: Final = 10


@dataclass(slots=True, eq=False, repr=False)
class Correspondent:
    """Somebody who may be written to. ``addresses`` are professional MSSanté ones."""

    name: str
    number: str = ""  # PS_IdNat (8 and the RPPS) or Struct_IdNat (1 and the FINESS), "" when it has none
    addresses: tuple[str, ...] = ()
    other: str = ""  # an address that is not a professional one
    structure: bool = False
    listed: bool = True  # in the directory
    closed: bool = False  # whatever is sent to it comes back

    @property
    def equipped(self) -> bool:
        """Whether it has a professional address that the establishment knows of."""
        return bool(self.addresses)


class Receiver(NamedTuple):
    """A recipient as a document names it: a national number, an address, or both."""

    number: str
    address: str
    structure: bool = False


class Directory:
    """The correspondents, listed or not, in numbers that follow the number of stays."""

    def __init__(self, random: Random, stays: int) -> None:
        self.random = random
        self.everyone: list[Correspondent] = []
        self._numbers = 100_000
        for _ in range(_FREQUENT + stays // 5):
            self._doctor()
        self.everyone.append(
            Correspondent("CH voisin", "1990000019", ("courrier@ch-voisin.mssante.fr",), structure=True)
        )
        for index in range(3 + stays // 60):
            self.everyone.append(Correspondent(f"Service {index}", "", (f"service.{index}@{_OFFICE}",)))
        known = len(self.everyone)
        for index in range(4 + stays // 25):  # addresses that are not in the directory: each is a correspondent
            domain = TRUSTED_DOMAIN if index % 4 == 0 else "inconnu-fictif.mssante.fr"
            stranger = Correspondent(f"Inconnu {index}", self._number(), (f"dr.inconnu{index}@{domain}",), listed=False)
            self.everyone.append(stranger)
        for index in range(3):  # numbers that the directory does not know: nobody
            self.everyone.append(Correspondent(f"Personne {index}", self._number(), listed=False))
        self._quiet = set(range(_FREQUENT, known, 9))  # in the directory, and never concerned
        self._chosen = [each for index, each in enumerate(self.everyone) if index not in self._quiet]
        self._by_address = {address: each for each in self.everyone for address in each.addresses}
        self._by_number = {each.number: each for each in self.everyone if each.number and each.listed}

    def _number(self) -> str:
        self._numbers += 1
        return f"89999{self._numbers:07d}"

    def _doctor(self) -> None:
        rng, index = self.random, len(self.everyone)
        kind = rng.choices(("one", "two", "trusted", "none", "ordinary", "own"), (70, 12, 6, 6, 3, 3))[0]
        name = f"dr.fictif{index}"
        if index < _FREQUENT:
            kind = "two" if index % 5 == 0 else "one"
        addresses: tuple[str, ...] = {
            "one": (f"{name}@{_OFFICE}",),
            "two": (f"{name}@{_OFFICE}", f"{name}@exemple.mssante.fr"),
            "trusted": (f"{name}@{TRUSTED_DOMAIN}",),
        }.get(kind, ())
        other = {"ordinary": f"{name}@exemple.invalid", "own": f"{name}@{OWN_DOMAIN}"}.get(kind, "")
        closed = index >= _FREQUENT and bool(addresses) and rng.random() < 0.12
        self.everyone.append(Correspondent(f"C{index:04d}", self._number(), addresses, other, closed=closed))

    # ---- choosing

    def choose(self, random: Random) -> Correspondent:
        """Somebody that a document may be made for: often one of the frequent ones."""
        return random.choice(self._chosen[:_FREQUENT] if random.random() < 0.4 else self._chosen[_FREQUENT:])

    def reachable(self, random: Random) -> Correspondent:
        """The same, who can be written to."""
        while True:
            found = self.choose(random)
            if found.addresses:
                return found

    # ---- who is who (docs/rules.md section 8)

    def at(self, address: str) -> Correspondent | None:
        """The correspondent of a professional address; None for any other address."""
        return self._by_address.get(address.lower())

    def numbered(self, number: str) -> Correspondent | None:
        """The equipped correspondent of a number; None when the directory does not know it, or no professional address of it."""
        found = self._by_number.get(number)
        return found if found is not None and found.equipped else None

    def named(self, receiver: Receiver) -> Correspondent | None:
        """Whom a recipient of a document is, when it is an equipped correspondent."""
        return self.at(receiver.address) or self.numbered(receiver.number)

    @property
    def equipped(self) -> list[Correspondent]:
        """The equipped correspondents of the directory."""
        return [each for each in self.everyone if each.listed and each.equipped]

    # ---- its file

    def table(self) -> str:
        """The directory in the format of config/correspondents.csv: one address a line."""
        lines = [_HEADER]
        for each in self.everyone:
            if not each.listed:
                continue
            person = "" if each.structure else each.number[1:]
            finess = each.number[1:] if each.structure else ""
            for address in each.addresses or (each.other,):
                own = "" if each.number else each.name
                lines.append(f"{own};{person};{finess};{address}")
        return "\n".join(lines) + "\n"
