"""The sections of docs/fr/indicateurs.md, made of the catalogue: a test holds that the page has them as they are now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from engine.metrics.catalogue import Catalogue, Indicator, Reason

_PART: Final = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: str, catalogue: Catalogue) -> str:
    """The page with every ``<!-- made: name -->`` part made anew. Raises KeyError for a part that nobody makes."""
    made = parts(catalogue)
    return _PART.sub(lambda part: f"{part[1]}\n{made[part[2]]}\n\n{part[3]}", page)


def parts(catalogue: Catalogue) -> Mapping[str, str]:
    """Name of each made part -> its text (Markdown, French)."""
    return {
        "contents": _contents(catalogue),
        "indicators": "\n\n".join(_section(entry, catalogue) for entry in catalogue if not entry.variant_of),
        "reasons": "\n\n".join(_reasons(catalogue)),
    }


def _contents(catalogue: Catalogue) -> str:
    """One line an indicator: where its section is, what it counts, its target."""
    lines = ["| indicateur | ce qu’il mesure | unité comptée | cible |", "|---|---|---|---|"]
    lines += [
        f"| [{entry.id}](#{_anchor(entry.id)}) | {entry.title} | {entry.unit_words[0]} | {_goal(entry)} |"
        for entry in catalogue
        if not entry.variant_of
    ]
    return "\n".join(lines)


def _section(entry: Indicator, catalogue: Catalogue) -> str:
    """Everything there is to know of one indicator, then of its variants."""
    blocks = [
        f"## {entry.id} : {entry.title}",
        f"Libellé officiel ({entry.programme}, {entry.domain}) : « {entry.label} ».",
        "\n".join(
            [
                f"- **Ce qui est compté** (dénominateur) : {entry.denominator}.",
                f"- **Ce qui est atteint** (numérateur) : {entry.numerator}.",
                f"- **Cible** : {entry.target_note}.",
                f"- **Période** : {entry.period_note}.",
                f"- **Fréquence demandée** : {entry.frequency}.",
                f"- **Source** : {' ; '.join(entry.sources)}.",
            ]
        ),
    ]
    if entry.bonus:
        blocks.append("C’est un bonus : il ne fait jamais échouer le domaine.")
    general = {reason.code: reason for reason in _general(catalogue)}
    blocks += [
        "**Pourquoi un point manque.** Un motif, et un seul, par point manquant ; plus il est bas, plus on était près du but :"
    ]
    blocks.append("\n".join(f"{n}. {_reason(reason, general)}" for n, reason in enumerate(entry.reasons, 1)))
    blocks.append("**Ce que les documents publics laissent ouvert, et ce que Jauge retient :**")
    blocks.append("\n".join(f"- {_sentence(words)}" for words in entry.assumptions))
    variants = [other for other in catalogue if other.variant_of == entry.id]
    if variants:
        blocks.append("**Les autres valeurs publiées**, chacune sous son propre nom, sans cible officielle :")
    return "\n\n".join([*blocks, *(_variant(other, entry) for other in variants)])


def _reason(reason: Reason, general: Mapping[str, Reason]) -> str:
    """One reason: its label, a link to what to do; the advice itself where this indicator has its own."""
    link = f"[{reason.label}](#{_anchor(reason.code)}) (`{reason.code}`)"
    return link if reason.advice == general[reason.code].advice else f"{link}. {reason.advice}"


def _variant(entry: Indicator, base: Indicator) -> str:
    """What a variant changes, and nothing that stays."""
    lines = []
    if entry.denominator != base.denominator:
        lines.append(f"- **Ce qui est compté** (dénominateur) : {entry.denominator}.")
    if entry.numerator != base.numerator:
        lines.append(f"- **Ce qui est atteint** (numérateur) : {entry.numerator}.")
    codes = [reason.code for reason in base.reasons]
    own = [reason.code for reason in entry.reasons]
    if lacks := [code for code in codes if code not in own]:
        lines.append(f"- **Motifs en moins** : {', '.join(f'`{code}`' for code in lacks)}.")
    if more := [code for code in own if code not in codes]:
        lines.append(f"- **Motif en plus** : {', '.join(f'[`{code}`](#{_anchor(code)})' for code in more)}.")
    lines += [f"- {_sentence(words)}" for words in entry.assumptions if words not in base.assumptions]
    return "\n\n".join([f"### {entry.id} : {entry.title}", "\n".join(lines)])


def _reasons(catalogue: Catalogue) -> Iterator[str]:
    """One heading a reason: what it means and what to do, and where it may appear."""
    for reason in _general(catalogue):
        where = [entry.id for entry in catalogue if not entry.variant_of and reason.code in _codes(entry)]
        # A reason that only variants have.
        where = where or [entry.id for entry in catalogue if reason.code in _codes(entry)]
        links = ", ".join(f"[{name}](#{_anchor(name)})" for name in where)
        yield f"### `{reason.code}` : {reason.label}"
        yield f"{reason.advice}\n\nIndicateurs : {links}."


def _general(catalogue: Catalogue) -> tuple[Reason, ...]:
    """Each reason once, in the order of its first appearance, with the advice that most indicators give."""
    said: dict[str, dict[str, int]] = {}
    labels: dict[str, str] = {}
    for entry in catalogue:
        for reason in entry.reasons:
            labels.setdefault(reason.code, reason.label)
            counts = said.setdefault(reason.code, {})
            counts[reason.advice] = counts.get(reason.advice, 0) + 1
    return tuple(Reason(code, labels[code], max(said[code], key=said[code].__getitem__)) for code in labels)


def _codes(entry: Indicator) -> set[str]:
    return {reason.code for reason in entry.reasons}


def _goal(entry: Indicator) -> str:
    """The target in two words, for a table."""
    if entry.kind == "existence":
        return "oui"
    return "non publiée" if entry.target is None else f"≥ {entry.target * 100:g} %"


def _sentence(words: str) -> str:
    """The words, closed by a full stop."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _anchor(name: str) -> str:
    """The anchor of a heading that begins with this name and a colon (engine/page/help.py makes the same)."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())
