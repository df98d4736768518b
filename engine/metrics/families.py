"""Every metric of `/metrics`: name, type, labels, meaning. The exposition fills them; docs/metrics.md is made of them.

Names follow the conventions of Prometheus: base units, ``_total`` for counters, ratios from 0 to 1, a timestamp rather
than an age. A name is never reused for another meaning.
"""

from __future__ import annotations

from typing import Final

from engine.metrics import engine_families
from engine.metrics.family import Family

_INDICATOR: Final = ("indicator", "establishment", "window")
_APPLICATION: Final = ("application", "reference")

INDICATOR_NUMERATOR: Final = Family(
    "jauge_indicator_numerator",
    "gauge",
    _INDICATOR,
    "Subjects that meet the indicator over the window (docs/rules.md sections 5 and 6).",
)
INDICATOR_DENOMINATOR: Final = Family(
    "jauge_indicator_denominator",
    "gauge",
    _INDICATOR,
    "Subjects that the indicator counts over the window (docs/rules.md sections 5 and 6).",
)
INDICATOR_RATIO: Final = Family(
    "jauge_indicator_ratio",
    "gauge",
    _INDICATOR,
    "Numerator over denominator, 0 to 1, unrounded; no series when there is nothing to measure (denominator 0).",
)
INDICATOR_PROJECTED: Final = Family(
    "jauge_indicator_projected_ratio",
    "gauge",
    ("indicator", "establishment"),
    "Ratio that the period of complete months ending with this one would have if the days to come were like the 28 before the last 7, "
    "and these ended like them; no series when nothing is counted.",
)
INDICATOR_TARGET: Final = Family(
    "jauge_indicator_target_ratio",
    "gauge",
    _INDICATOR,
    "Target to reach or pass, 0 to 1: the site's own, else the programme's; no series when neither is known.",
)
INDICATOR_MISSED: Final = Family(
    "jauge_indicator_missed",
    "gauge",
    (*_INDICATOR, "reason"),
    "Subjects counted and not met, by reason: the closed, ordered list of the indicator (docs/rules.md section 3).",
)
INDICATOR_REJECTED: Final = Family(
    "jauge_indicator_rejected",
    "gauge",
    (*_INDICATOR, "code"),
    "The subjects of jauge_indicator_missed whose reason is `rejected`, by code of the DMP's refusal (config/dmp-errors.yaml, "
    "and the site's own codes); `other` for any other code. No series for a code that refused nothing.",
)
INDICATOR_PROOF: Final = Family(
    "jauge_indicator_proof_info",
    "gauge",
    ("establishment", "proof"),
    "Always 1: what the establishment takes as proof under the plain names: accepted, taken or sent (docs/rules.md section 7).",
)
ESTABLISHMENT_INFO: Final = Family(
    "jauge_establishment_info",
    "gauge",
    ("establishment", "name"),
    "Always 1: the name of each establishment, as the configuration writes it, for people who do not read a FINESS.",
)
INDICATOR_INFO: Final = Family(
    "jauge_indicator_info",
    "gauge",
    ("indicator", "programme", "unit", "title"),
    "Always 1: programme, unit counted and short French title of each indicator of the catalogue.",
)
WINDOW_START: Final = Family(
    "jauge_window_start_timestamp_seconds",
    "gauge",
    ("establishment", "window"),
    "First instant of the window, from local midnight (docs/rules.md section 6).",
)
WINDOW_END: Final = Family(
    "jauge_window_end_timestamp_seconds",
    "gauge",
    ("establishment", "window"),
    "First instant after the window, from local midnight (docs/rules.md section 6).",
)
APPLICATION_CONNECTED: Final = Family(
    "jauge_application_connected",
    "gauge",
    _APPLICATION,
    "1 when the application is connected to the reference, observed or declared (docs/rules.md section 5, P1.1 and P1.3).",
)
APPLICATION_OBSERVED: Final = Family(
    "jauge_application_observed",
    "gauge",
    _APPLICATION,
    "1 when a message of the reference was seen to reach the application (docs/rules.md section 5, P1.1 and P1.3).",
)
APPLICATION_DECLARED: Final = Family(
    "jauge_application_declared",
    "gauge",
    _APPLICATION,
    "1 when the inventory declares the connection to the reference.",
)
APPLICATION_IN_SCOPE: Final = Family(
    "jauge_application_in_scope",
    "gauge",
    _APPLICATION,
    "1 when the application is in the denominator of P1.1 (identity) or P1.3 (movement), by the inventory.",
)
APPLICATION_INS_ABLE: Final = Family(
    "jauge_application_ins_able",
    "gauge",
    ("application", "proof"),
    "1 when the application can take the INS, by what proof (docs/rules.md section 5, P1.1).",
)
APPLICATION_LAST: Final = Family(
    "jauge_application_last_message_timestamp_seconds",
    "gauge",
    ("application",),
    "Latest message to or from the application; 0 when none was ever seen.",
)
APPLICATION_UNLISTED: Final = Family(
    "jauge_application_unlisted",
    "gauge",
    (),
    "Endpoints seen in the flows that no line of the inventory names.",
)
APPLICATION_UNLISTED_INFO: Final = Family(
    "jauge_application_unlisted_info",
    "gauge",
    ("endpoint",),
    "1 for each endpoint (application@facility) seen in the flows and not in the inventory; `other` holds how many more.",
)
_DMP: Final = ("establishment",)

DMP_SUBMISSIONS: Final = Family(
    "jauge_dmp_submissions_total",
    "counter",
    _DMP,
    "Submissions to the DMP, each once however many traces it left; deletions are none (docs/rules.md section 7). What a "
    "later message takes off is not taken off here: no counter goes back, it waits until the truth has passed it.",
)
DMP_RESPONSES: Final = Family(
    "jauge_dmp_responses_total",
    "counter",
    (*_DMP, "outcome"),
    "Submissions that ended, by the word of their strongest trace: accepted or refused by the DMP, failed before it answered.",
)
DMP_ERRORS: Final = Family(
    "jauge_dmp_errors_total",
    "counter",
    (*_DMP, "code"),
    "Submissions that were refused or failed, by code (config/dmp-errors.yaml, and the site's own); `other` for any other or none.",
)
DMP_CONTRADICTIONS: Final = Family(
    "jauge_dmp_contradictions_total",
    "counter",
    _DMP,
    "Traces that say the opposite of a stronger trace of the same submission, which holds; `jauge contradictions` lists them.",
)
PUBLICATION_DELAY: Final = Family(
    "jauge_document_publication_delay_seconds",
    "histogram",
    _DMP,
    "From the exit of a counted stay to the DMP's first acceptance of a report of it, once for each report; 0 when it came before.",
)
DMP_ANSWER_DELAY: Final = Family(
    "jauge_dmp_answer_delay_seconds",
    "histogram",
    _DMP,
    "From a submission to the DMP's answer, for each submission that was answered.",
)
DMP_UNNAMED: Final = Family(
    "jauge_dmp_submissions_unnamed",
    "gauge",
    _DMP,
    "Submissions that the DMP accepted and of which no trace names the document: the true rates may be higher by as much.",
)
MAILINGS: Final = Family(
    "jauge_mailings_total",
    "counter",
    (*_DMP, "category"),
    "MSSanté mails that left, one for each recipient and once however many feeds saw it, by who the recipient is: professional, "
    "citizen (the patient), own (the establishment itself), outside (no MSSanté address), test (docs/rules.md section 8).",
)
MAILING_OUTCOMES: Final = Family(
    "jauge_mailing_outcomes_total",
    "counter",
    (*_DMP, "outcome"),
    "Sendings of which a receipt (DSN, MDN) or the platform (ZAM Z02, Z03) told the end: delivered or refused by the recipient's "
    "server, and read (those are delivered too).",
)
MAILING_ERRORS: Final = Family(
    "jauge_mailing_errors_total",
    "counter",
    (*_DMP, "code"),
    "Sendings that were refused, by status (RFC 3463: `5.1.1`) or SMTP code (`550`); `other` for any other or none.",
)
MAILING_XDM: Final = Family(
    "jauge_mailing_xdm_total",
    "counter",
    (*_DMP, "state"),
    "Sendings by their IHE_XDM archive: valid, flawed (read, with errors), unreadable, none.",
)
DIRECTORY_CORRESPONDENTS: Final = Family(
    "jauge_directory_correspondents",
    "gauge",
    ("state",),
    "Correspondents of the directory: equipped (with a professional MSSanté address), unequipped.",
)
DIRECTORY_UPDATED: Final = Family(
    "jauge_directory_updated_timestamp_seconds",
    "gauge",
    (),
    "When the file of the directory was last written; 0 when there is none (D6.2).",
)
DIRECTORY_FAULTS: Final = Family(
    "jauge_directory_lines_at_fault",
    "gauge",
    (),
    "Lines of the directory that were left out; `jauge check-config` tells which, and the mend.",
)
DIRECTORY_UNKNOWN: Final = Family(
    "jauge_directory_unknown_addresses",
    "gauge",
    _DMP,
    "Professional addresses that were written to in the rolling window and that the directory does not know.",
)
OFFICIAL_VALUE: Final = Family(
    "jauge_official_value",
    "gauge",
    ("indicator", "establishment"),
    "1 when the programme says that the indicator is met, 0 when it says that it is not (official_values of the configuration); shown "
    "beside what is observed.",
)
PS41_SENT: Final = Family(
    "jauge_ps41_sent_timestamp_seconds", "gauge", _DMP, "PS4.1: latest test message that left; 0 when none did."
)
PS41_REPLIED: Final = Family(
    "jauge_ps41_replied_timestamp_seconds", "gauge", _DMP, "PS4.1: latest automatic reply received; 0 when none was."
)
PS41_PROVEN: Final = Family(
    "jauge_ps41_proven_timestamp_seconds", "gauge", _DMP, "PS4.1: date of the latest test that was answered; 0: none."
)
PS41_EXPIRES: Final = Family(
    "jauge_ps41_expires_timestamp_seconds", "gauge", _DMP, "PS4.1: until when it holds (ps41.valid_days); 0: none."
)
PS41_AWAITING: Final = Family(
    "jauge_ps41_awaiting_reply", "gauge", _DMP, "PS4.1: 1 when the latest test has neither a reply nor a failure yet."
)
PS41_DECLARED: Final = Family(
    "jauge_ps41_mailbox_declared", "gauge", _DMP, "PS4.1: 1 when an organisational mailbox is declared in the settings."
)
PS41_VALID: Final = Family(
    "jauge_ps41_proof_valid", "gauge", _DMP, "PS4.1: 1 when it is met: sent, answered, mailbox declared, not too old."
)

FAMILIES: Final[tuple[Family, ...]] = (
    *(value for value in dict(vars()).values() if isinstance(value, Family)),
    *engine_families.FAMILIES,
)
"""Every metric, in the order of the page."""
