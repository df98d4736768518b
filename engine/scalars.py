"""The types of single settings: what one value of the configuration may be, and how to write it (``engine.strict``)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Finess = Annotated[
    str,
    Meta(
        pattern=r"^[0-9][0-9AB][0-9]{7}$",
        examples=["990000001"],
        extra={"hint": "a FINESS has 9 characters, as in PID-3.4 of your messages: 990000001"},
    ),
]
Endpoint = Annotated[
    str,
    Meta(
        pattern=r"^[^@|]+(@[^@|]*)?$",
        extra={"hint": "APP@FACILITY as in MSH-3 and MSH-4 (MSH-5 and MSH-6), or APP alone for any facility"},
    ),
]
Oid = Annotated[
    str,
    Meta(pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$", extra={"hint": "an OID in dotted form: 1.2.250.1.999"}),
]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
ZoneName = Annotated[str, Meta(extra={"vocabulary": "time zone"})]
Domain = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$",
        max_length=253,
        extra={"hint": "what follows the @, in small letters: ch-exemple.mssante.fr"},
    ),
]
Address = Annotated[
    str,
    Meta(
        pattern=r"^[!#-'*+./0-9=?^_`a-z{|}~-]+@[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        max_length=254,
        extra={"hint": "a mail address in small letters: service@ch-exemple.mssante.fr"},
    ),
]
Port = Annotated[int, Meta(ge=0, le=65535)]
