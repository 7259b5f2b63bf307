"""Says of a text whether it is fine, gets a mark, or is held back. Pure: word lists and patterns.

A simple check until models do it: it knows English mostly, misses much of what a person would see,
and is tuned to hold back little. `tests/chat_app/test_safety.py` has the figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chat_app.enums import Hold
from oasst.lib import personal_data


@dataclass(frozen=True)
class Finding:
    """What the check found: `reason` is a code for moderators, empty if all is well."""

    hold: Hold = Hold.NONE
    reason: str = ""


FINE = Finding()
_KIND_WORDS: dict[str, str | Promise] = {
    "self_harm": _(
        "It sounds as if you are going through something very hard. A program is no good company "
        "for that, people are: please talk to somebody you trust, or to a helpline. The numbers "
        "for your country are on findahelpline.com; in an emergency call your local number."
    ),
    "minors": _(
        "This was held back, because it may put children at risk. If you worry about a child, "
        "please talk to your local child protection service."
    ),
    "threat": _(
        "This was held back, because it reads like a threat to somebody. If it is part of a "
        "story, say it another way; if somebody is in danger, call your local emergency number."
    ),
    "payment": _(
        "This was held back, because it seems to hold the number of a card or a bank account. "
        "Remove the number and send it again: nobody here needs it."
    ),
}


def check(text: str) -> Finding:
    """Look for what may put somebody at risk; the gravest finding counts."""
    for reason, is_found in _HELD.items():
        if is_found(text):
            return Finding(Hold.HELD, reason)
    for reason, is_found in _MARKED.items():
        if is_found(text):
            return Finding(Hold.MARKED, reason)
    return FINE


def kind_words(finding: Finding) -> str:
    """What the person reads in place of a text that is held back."""
    return str(_KIND_WORDS.get(finding.reason, ""))


# Patterns. `~` stands for the spaces between two words.


_FLAGS = re.IGNORECASE | re.VERBOSE | re.DOTALL
_SPACES = re.compile(r"\s+")


def _pattern(source: str) -> Callable[[str], bool]:
    # One space each: several `~` in a row would try every way to share out a long gap.
    compiled = re.compile(source.replace("~", r"\s"), _FLAGS)
    return lambda text: compiled.search(_SPACES.sub(" ", text)) is not None


_SELF_HARM = _pattern(
    r"""
    \b kill(?:ing)? ~ (?: \w+ ~ ){0,2} my \s? self \b
  | \b (?: kill(?:ing)? | hang(?:ing)? | cut(?:ting)? | hurt(?:ing)? | harm(?:ing)? |
    starv(?:e|ing) )
        ~ my \s? self \b
  | \b i (?: ['’]?m | ~am | ['’]?ve ~been | ~feel )? ~ (?: \w+ ~ ){0,2}? suicidal \b
  | \b (?: end(?:ing)? | take | taking ) ~ my ~ (?: own ~ )? life \b
  | \b (?: want | wanna | going | easy ) ~ (?: to ~ )? (?: just ~ )? end ~ it ~ all \b
  | \b (?: i | we ) (?: ['’]?m | ['’]?ve | ~am | ~have )? ~ (?: \w+ ~ ){0,5}? (?: self [-\s]?
    harm(?:ed|ing)? |
        thinking ~ (?: about | of ) ~ suicide | (?: slic | cutt ) ing ~ myself )
  | \b (?: no | any ) ~ (?: point | reason ) ~ (?: in ~ living | to ~ live | to ~ go ~ on )
  | \b i ~ (?: \w+ ~ ){0,2}? (?: want | wanna | wish | plan | need | ready )
        (?: ~ to | ~ i ~ (?: was | were ) )? ~ (?: die | dead | be ~ dead ) \b (?! ~ (?: laughing
        | of ) )
  | \b how ~ (?: to | do ~ i | can ~ i | would ~ i | should ~ i ) ~ (?: \w+ ~ ){0,2}?
        (?: commit ~ suicide | overdose | self [-\s] harm )
  | \b (?: best | easiest | painless | quickest | fastest ) ~ (?: \w+ ~ )? (?: way | method ) s?
        ~ (?: to | of ) ~ (?: die | dying | commit (?: ting )? ~ suicide | suicide )
    """
)
_CHILD = r"""(?: child(?:ren)? | kids? | minors? | underage[d]? | (?: pre-? )? teens? |
    teenage[dr]? s? | toddlers? | infants? | lolis? |
    lolita | shota | school-?girls? | school-?boys? | little ~ (?: girls? | boys? | brother |
    sister ) |
    (?: my | her | his ) ~ (?: young ~ )? (?: step-? )? (?: son | daughter ) |
    (?: [1-9] | 1[0-7] | six | seven | eight | nine | ten | eleven | twelve | thirteen | fourteen |
        fifteen | sixteen | seventeen ) [-\s]? (?: years? | yrs? | y/?o ) (?: [-\s]? old )? )"""
_LEWD = r"""(?: porn\w* | nudes? | naked | erotic\w* | horny | fuck\w* | orgasm\w* | masturbat\w*
    | blow-?jobs? |
    cocks? | dicks? | pussy | penis | cum | cumming | molest\w* | aroused | seduc\w* | thrust\w* |
    incest |
    have ~ sex | having ~ sex | sex ~ with | sexual ~ (?: pleasure | acts? | fantas\w+ ) |
    breasts? |
    undress\w* | moan\w* | clit\w* | dildos? | sperm | xxx | anal | semen )"""
_MINORS = _pattern(rf"\b{_CHILD}\b .{{0,120}}? \b{_LEWD}\b | \b{_LEWD}\b .{{0,120}}? \b{_CHILD}\b")
_THREAT = _pattern(
    r"""
    \b (?: i | we ) (?: ['’]?ll | ['’]?m | ['’]?re | ~am | ~are )? ~?
        (?: will | gonna | going ~ to | want ~ to | wanna | plan ~ to | about ~ to )? ~
        (?: kill | murder | shoot | stab | rape | strangle | behead | slaughter | bomb | blow ~ up )
        ~ (?: you | him | her | them | everyone | everybody | all ~ of ~ (?: you | them ) |
              my ~ (?: wife | husband | boss | neighbou?r | teacher | ex | girlfriend | boyfriend
              ) |
              (?: the | my | this | that | a ) ~ (?: school | church | mosque | synagogue | office
              ) ) \b
  | \b how ~ (?: to | do ~ i | can ~ i ) ~ (?: \w+ ~ )? (?: build | make ) ~ (?: a ~ | an ~ )?
        (?: (?: pipe | nail | car | fertili[sz]er | homemade ) ~ )? (?: bombs? | explosives? ) \b
  | \b how ~ (?: to | do ~ i | can ~ i ) ~ (?: kill | murder | poison | strangle ) ~
        (?: my | a | an | some )? ~? (?: wife | husband | boss | neighbou?r | person | people |
        someone |
        somebody | human | child | him | her | them ) \b
    """
)

_OFFENSIVE = _pattern(
    r"""
    \b (?: fuck(?:ing|er|ers|ed|s)? | motherfuck\w* | cunts? | bitch(?:es)? | whores? | sluts? |
    faggots? |
        fags? | nigg(?:er|ers|a|as) | kikes? | spics? | chinks? | trann(?:y|ies) | retards? |
        retarded |
        subhumans? | scumbags? | assholes? | shithead s? | twats? | wankers? | raghead s? | coons?
        ) \b
  | \b (?: kill | hang | shoot | gas | exterminate ) ~ (?: all ~ (?: the ~ )? | the ~ | every ~ )
        (?: jews? | muslims? | blacks? | whites? | gays? | immigrants? | women | christians? ) \b
  | \b (?: jews? | muslims? | blacks? | gays? | immigrants? | women | mexicans? | gypsies ) ~ are ~
        (?: \w+ ~ ){0,2}? (?: vermin | animals | rats | scum | filth | disgusting | inferior |
        parasites |
        the ~ problem ) \b
    """
)
_SOCIAL_SECURITY = r"(?<! [\d-] ) (?! 000 | 666 | 9 ) \d{3} - \d{2} - \d{4} (?! [\d-] )"
_STREET = r"""\b \d{1,5} ~ (?: [A-Z]\w+ ~ ){1,3}
    (?: street | avenue | road | boulevard | lane | drive ) \b"""
_NUMBER_OR_STREET = _pattern(rf"{_SOCIAL_SECURITY} | {_STREET}")


def _is_payment(text: str) -> bool:
    return bool(personal_data.find(text, personal_data.PAYMENT))


def _is_personal(text: str) -> bool:
    return _NUMBER_OR_STREET(text) or bool(personal_data.find(text, _CONTACTS))


# A text may speak of machines: their addresses get no mark.
_CONTACTS = personal_data.CONTACT - {"IP"}
_HELD: dict[str, Callable[[str], bool]] = {
    "self_harm": _SELF_HARM,
    "minors": _MINORS,
    "threat": _THREAT,
    "payment": _is_payment,
}
_MARKED: dict[str, Callable[[str], bool]] = {
    "offensive": _OFFENSIVE,
    "personal_data": _is_personal,
}
