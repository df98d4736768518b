"""The settings of counting (``indicators`` in the configuration)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from engine.scalars import Code, Ratio


class Indicators(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Choices of counting that the official guides leave open; see docs/rules.md."""

    classes: Annotated[
        tuple[Literal["I", "E", "O", "R", "V", "N"], ...],
        Meta(
            min_length=1,
            description="Classes of stay (PV1-2) that are counted: `I` inpatient, `E` emergency, `O` outpatient, `R` "
            "recurring (séances), `V`, `N`.",
        ),
    ] = ("I",)
    count_test_ins: Annotated[
        bool,
        Meta(
            description="Whether an INS under a test or demonstration root (1.2.250.1.213.1.4.10, .11) counts. Never in production."
        ),
    ] = False
    processing_ids: Annotated[
        tuple[Literal["P", "T", "D"], ...],
        Meta(
            min_length=1,
            description="Values of MSH-11 that are counted: `P` production, `T` training, `D` debugging.",
        ),
    ] = ("P",)
    months: Annotated[
        int,
        Meta(ge=1, le=24, description="Length of the official period: so many complete calendar months before today."),
    ] = 3
    grace_days: Annotated[
        int,
        Meta(
            ge=0,
            le=366,
            description="A document accepted more than so many days after the end of the period is missed as `accepted_late`.",
        ),
    ] = 7
    history_days: Annotated[
        int,
        Meta(
            ge=0,
            le=366,
            description="DS1.4: days after the exit during which a report of an earlier stay may still be accepted.",
        ),
    ] = 30
    attach_days: Annotated[
        int,
        Meta(
            ge=0,
            le=366,
            description="A document without visit number belongs to the patient's last counted stay that ended at most so "
            "many days before it was made.",
        ),
    ] = 30
    answer_hours: Annotated[
        int,
        Meta(
            ge=1,
            le=2_160,
            description="Hours during which an answer of the DMP is still awaited (`awaiting_answer`); afterwards, from the next day, "
            "the document is missed as `not_answered`.",
        ),
    ] = 24
    match_hours: Annotated[
        int,
        Meta(
            ge=0,
            le=720,
            description="A trace that names no document (only a venue or a patient, a type and a time) is tied to the nearest one of that "
            "type not further away than so many hours.",
        ),
    ] = 24
    connection_proof: Annotated[
        Literal["acknowledged", "routed"],
        Meta(
            description="P1.1, P1.3: what proves that an application is connected: a message that it `acknowledged`, or one "
            "merely `routed` to it (when its acknowledgements do not pass through the engine's feed)."
        ),
    ] = "acknowledged"
    freshness_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3_660,
            description="P1.1, P1.3: an application not seen for more days is shown as `not seen recently`; it stays counted.",
        ),
    ] = 30
    prescription_codes: Annotated[
        tuple[Code, ...],
        Meta(
            min_length=1,
            description="DS1.2: type codes of a discharge prescription (LOINC, JDV_J07).",
        ),
    ] = ("57833-6", "57828-6", "57832-8")
    published_codes: Annotated[
        tuple[Code, ...],
        Meta(
            min_length=1,
            description="D2.2, D6.1: type codes of the letters, reports and syntheses that should be in the DMP (LOINC, JDV_J07); discharge "
            "prescriptions are added by `prescription_codes`.",
        ),
    ] = ("11490-0", "34112-3", "11488-4", "15507-7", "34874-8", "11502-2", "18748-4", "34133-9")
    message_days: Annotated[
        int,
        Meta(
            ge=0,
            le=366,
            description="DS4.2: days after the exit during which the patient may still be written to (Mon espace santé).",
        ),
    ] = 7
    directory_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3_660,
            description="D6.2: age of the file of correspondents (days since it was last written) beyond which it is no longer up to date.",
        ),
    ] = 183
    targets: Annotated[
        Mapping[str, Ratio],
        Meta(
            description="Targets of the site, by indicator, between 0 and 1 (`DS1.1: 0.6`). Without one the official target is "
            "shown, or `no official target`."
        ),
    ] = field(default_factory=dict)
