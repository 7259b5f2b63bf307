"""Every field of every form, hostile texts to fill in, and which forms have no field."""

from collections.abc import Iterator
from typing import NamedTuple

from django.contrib import admin

from oasst.lib.desk.actions import NothingToAsk, ReasonForm
from oasst.lib.desk.admin import DeskAdmin
from tests.hostile import TAG
from tests.permissions.tables import MODELS, desk_rows, page_rows

TEXTS = {
    "nothing": "",
    "spaces": " \t\n\u00a0\u3000",
    "NUL": "a\x00b",
    "control characters": "\x01\x08\x0b\x1b[31m\x7f\x85\ufeff",
    "right-to-left override": "\u202egnp.exe\u202c \u2066\u2069",
    "zero width": "\u200b\u200d\u2060" * 700,
    "stacked accents": "e" + "\u0301" * 1900,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈" * 200,
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "a megabyte less a bit": "x" * 1_000_000,
    "more than a request may be": "x" * 1_100_000,
    "quotes in quotes": ">" * 10_000 + "x",
    "lists in lists": "- " * 10_000 + "x",
    "brackets": "[" * 10_000,
    "emphasis": "*a_" * 5_000,
    "tag": TAG,
    "script": "<script>canary()</script><svg onload=canary()><math><mtext></svg>",
    "links": "[a](javascript:canary()) ![b](data:text/html,canary) <vbscript:canary> [c](//x.y)",
    "template": "{{ 7*7 }}{% load x %}${7*7}#{7*7}%s%(x)s%n{0}",
    "query": "'; DROP TABLE accounts_user; -- \\ % _ \" : & | ! <-> *",
    "minuses": "-" * 150 + "x",
    "path": "../../../etc/passwd%00%2e%2e%2f",
    "formula": "=cmd|'/c calc'!A1",
    "number": "9" * 400,
    "not a number": "NaN",
    "infinity": "-Infinity",
    "exponent": "1e309",
    "negative": "-1",
    "other digits": "٣",
    "zero UUID": "00000000-0000-0000-0000-000000000000",
    "JSON": '{"a": ' * 500,
    "elsewhere": "https://evil.example/",
    "elsewhere without a scheme": "//evil.example\\@x",
    "elsewhere by a script": "javascript:canary()",
    "line end": "/\r\nSet-Cookie: a=b",
}
BRIEF = ["nothing", "NUL", "emoji", "tag", "template", "query", "minuses", "number", "infinity",
         "other digits", "zero UUID", "elsewhere", "JSON"]  # fmt: skip

# Every field of every form, and after a `?` every parameter of an address. Fields with a `*` take
# any text and are given all of the above, the others the brief ones.
FIELDS = """
# who path                                     field                  along with
anon  /accounts/login/                         email*                 -
anon  /accounts/login/                         next                   email=a@example.org
anon  /accounts/login/                         altcha*                email=a@example.org
anon  /accounts/login/                         ticket*                email=a@example.org
anon  /accounts/login/?                        next                   -
anon  /accounts/signup/?                       next                   -
anon  /accounts/login/code/                    code                   -
anon  /theme/                                  theme                  -
anon  /theme/                                  next*                  theme=dark
anon  /language/                               language*              -
anon  /language/                               next*                  language=en
alice /theme/                                  theme                  -
alice /accounts/login/?                        next                   -
alice /account/                                display_name*          {profile}
alice /account/                                contribution_languages display_name=Alice
alice /account/                                ui_language            {profile}
alice /account/                                theme                  {profile}
alice /account/                                time_zone              {profile}
alice /account/tokens/                         name*                  scopes=completions&days=90
alice /account/tokens/                         scopes                 name=x&days=90
alice /account/tokens/                         days                   name=x&scopes=completions
alice /account/notifications/                  told                   -
alice /account/notifications/                  weekly_digest          -
alice /notifications/?                         before                 -
alice /notifications/read/                     up_to                  -
alice /account/welcome/                        display_name*          {profile}
alice /account/welcome/                        next                   {profile}
alice /account/welcome/                        time_zone              {profile}
alice /account/welcome/?                       next                   -
alice /account/email/                          email*                 -
alice /account/email/code/                     code                   -
alice /account/delete/                         confirmation*          -
alice /account/delete/                         texts                  confirmation=x
anon  /account/second-factor/sign-in/          code                   -
alice /account/second-factor/app/              code                   -
alice /account/second-factor/passkeys/add/     name*                  credential={{}}
alice /account/second-factor/passkeys/add/     credential*            -
anon  /account/second-factor/passkeys/sign-in/ credential*            -
alice /messages/?                              q*                     -
alice /messages/?                              lang                   -
alice /messages/?                              role                   -
alice /messages/?                              state                  -
alice /messages/?                              topic                  -
alice /messages/?                              sort                   -
alice /messages/?                              mine                   -
alice /messages/?                              before*                -
alice /contributions/?                         kind                   -
alice /contributions/?                         outcome                -
alice /contributions/?                         before*                -
anon  /stats/agreement/?                       measure                -
anon  /stats/agreement/?                       lang                   measure=rankings
anon  /stats/agreement/?                       kind                   -
anon  /stats/agreement/?                       span                   -
anon  /stats/agreement/?                       format                 -
anon  /stats/agreement/?                       week*                  span=4
mona  /stats/agreement/disputed/?              week                   measure=spam
mona  /stats/agreement/people/?                people                 measure=spam
mona  /stats/agreement/people/?                format                 measure=rankings
mona  /stats/agreement/disputed/?              after*                 measure=spam
anon  /stats/?                                 lang                   -
anon  /stats/?                                 span                   -
alice /leaderboard/?                           frame                  -
alice /leaderboard/?                           lang                   -
alice /leaderboard/?                           after*                 -
alice /leaderboard/points/?                    state                  -
alice /leaderboard/points/?                    after*                 -
mona  /leaderboard/prizes/                     title*                 {prize}
mona  /leaderboard/prizes/                     text*                  {prize}
mona  /leaderboard/prizes/                     lang                   {prize}
mona  /leaderboard/prizes/                     starts_at              {prize}
mona  /leaderboard/prizes/                     ends_at                {prize}
mona  /leaderboard/prizes/                     places                 {prize}
anon  /practice/?                              lang                   -
anon  /practice/?                              done*                  -
anon  /practice/en-bread/?                     answer*                -
anon  /practice/en-bread/?                     done                   answer=yes
alice /practice/keep/?                         done*                  -
alice /tasks/?                                 lang                   -
alice /tasks/random/next/?                     lang                   -
alice /tasks/random/next/                      lang                   -
alice /tasks/{writing}/                        text*                  -
alice /tasks/{writing}/                        origin                 text=Hello
alice /tasks/{writing}/                        source*                text=Hello&origin=adapted
alice /tasks/{writing}/                        pasted                 text=Hello&seconds=9
alice /tasks/{writing}/                        seconds                text=Hello&pasted=9
alice /tasks/{writing}/draft/                  text*                  -
alice /tasks/{writing}/preview/                text*                  -
alice /tasks/{writing}/skip/                   reason                 -
alice /tasks/{writing}/skip/                   note*                  reason=time
alice /tasks/{review}/                         spam                   -
alice /tasks/{review}/                         quality*               spam=0
alice /tasks/{review}/                         lang_mismatch          spam=0
alice /tasks/{review}/                         made_up                spam=0
alice /tasks/{review}/draft/                   quality                -
alice /tasks/{ranking}/                        place_{first}*         {places}
alice /tasks/{ranking}/                        verdict                {places}
alice /tasks/{ranking}/                        reason*                verdict=all_bad
alice /tasks/{ranking}/draft/                  reason                 -
alice /tasks/{ranking}/differences/?           a                      -
alice /tasks/{ranking}/differences/?           b                      a=A
alice /messages/{mine}/edit/                   text*                  -
alice /messages/{mine}/edit/                   base                   text=Hello
alice /messages/{message}/react/               code                   -
alice /messages/{message}/react/               next*                  code=+1
alice /messages/{message}/report/              category               -
alice /messages/{message}/report/              text*                  category=spam
alice /messages/{message}/report/?             next                   -
alice /messages/{message}/labels/              spam                   -
alice /messages/{message}/labels/              next                   spam=0
alice /trees/{tree}/follow/                      leave                  -
alice /trees/{mine}/topics/                    topic_law*             -
alice /questions/{question}/                   text*                  -
alice /chat/                                   text*                  -
alice /chat/                                   model                  text=Hello
alice /chat/                                   count                  text=Hello
alice /chat/?                                  q*                     -
alice /chat/?                                  archived               q=sky
alice /chat/?                                  before                 q=sky
alice /chat/settings/                          about_me*              -
alice /chat/settings/                          how_to_respond         -
alice /chat/settings/                          forget*                -
alice /chat/{chat}/?                           before                 -
alice /chat/{chat}/?                           since                  -
alice /chat/{chat}/say/                        text*                  parent={reply}
alice /chat/{chat}/say/                        parent                 text=Hello
alice /chat/{chat}/say/                        key                    text=Hello&parent={reply}
alice /chat/{chat}/say/                        count                  text=Hello&parent={reply}
alice /chat/{chat}/settings/                   model                  {values}
alice /chat/{chat}/settings/                   preset                 {values}
alice /chat/{chat}/settings/                   temperature            {values}
alice /chat/{chat}/settings/                   top_k                  {values}&use_top_k=on
alice /chat/{chat}/settings/                   seed                   {values}&use_seed=on
alice /chat/{chat}/settings/                   max_new_tokens         {values}
alice /chat/{chat}/settings/                   stop*                  {values}
alice /chat/{chat}/settings/                   save_as*               {values}
alice /chat/{chat}/rename/                     title*                 -
alice /chat/{chat}/archive/                    on                     -
alice /chat/{chat}/data-use/                   on                     -
alice /chat/{chat}/share/                      revoke                 -
alice /chat/{chat}/export/?                    format                 -
alice /chat/{chat}/messages/{reply}/regenerate/ count                 -
alice /chat/{chat}/messages/{prompt}/edit/     text*                  -
alice /chat/{chat}/messages/{reply}/vote/      value                  -
alice /chat/{chat}/messages/{reply}/vote/      reasons                value=1
alice /chat/{chat}/messages/{reply}/vote/      text*                  value=1
alice /chat/{chat}/messages/{reply}/report/    kind                   -
alice /chat/{chat}/messages/{reply}/report/    text*                  kind=wrong
alice /chat/{chat}/messages/{reply}/show/      since                  -
alice /chat/{chat}/messages/{reply}/offer/     lang                   -
mona  /admin/search/?                          s                      -
mona  {tasks}/message/?                        q*                     -
mona  {tasks}/message/?                        lang                   -
mona  {tasks}/message/?                        review                 -
mona  {tasks}/message/?                        user__id__exact        -
mona  {tasks}/message/?                        tree__state__exact     -
mona  {tasks}/message/?                        created_at_from        -
mona  {tasks}/message/?                        p                      -
mona  {tasks}/message/?                        o                      -
mona  {tasks}/message/?                        made_up                -
mona  {tasks}/message/                         action                 -
mona  {tasks}/message/                         _selected_action       action=delete
mona  {tasks}/messagetree/?                    q                      -
mona  {tasks}/report/?                         state                  -
mona  {tasks}/moderationaction/?               q                      -
mona  /admin/views/tasks_app.message/?lang=en name*                  -
mona  {people}/?                               q                      -
mona  {people}/?                               status                 -
mona  /admin/autocomplete/?                    term                   {autocomplete}
mona  {tasks}/message/{message}/act/delete/    reason                 -
mona  {tasks}/message/{message}/act/edit/      text*                  reason=r
mona  {tasks}/message/{message}/act/edit/      text                   reason=r&preview=yes
mona  {tasks}/message/{message}/act/label-as/  label                  reason=r
mona  {tasks}/message/{message}/act/make-gold/ spam                   explanation=e
mona  {tasks}/message/{message}/act/make-gold/ lang_mismatch          spam=0&explanation=e
mona  {tasks}/message/{message}/act/make-gold/ quality                spam=0&explanation=e
mona  {tasks}/message/{message}/act/make-gold/ for_practice           spam=0&explanation=e
mona  {tasks}/message/{message}/act/make-gold/ explanation*           spam=0
mona  {tasks}/report/{report}/act/decide/      outcome                note=n
mona  {tasks}/report/{report}/act/decide/      note*                  outcome=dismissed
mona  {complaint}/act/resolve/                 resolution*            -
mona  {tasks}/message/{message}/act/ask/       text*                  reason=r
mona  {tasks}/message/{message}/act/ask/       reason                 text=q
mona  {tasks}/report/{report}/act/ask/         text*                  reason=r
mona  {people}/{alice}/act/ask/                text*                  reason=r
mona  {people}/{alice}/act/ask/                reason                 text=q
mona  {people}/{alice}/act/notes/              notes                  -
mona  {people}/{alice}/act/rename/             display_name*          reason=r
mona  {people}/{alice}/act/mute-7/             reason                 -
root  {people}/{alice}/act/role/               role                   reason=r
root  {people}/{alice}/act/merge/              into*                  reason=r
root  {tasks}/configchange/set/goal_tree_size/ value*                 reason=r
mona  /training/?                              before                 -
mona  /training/compare/?                      run                    -
root  /training/new/                           config_yaml*           -
root  /training/new/?                          config                 -
root  /training/new/?                          snapshot               config=tiny-sft
root  /training/new/?                          like                   -
root  /training/new/preview/                   config_yaml            -
root  /training/snapshots/                     name                   -
root  /training/snapshots/                     langs*                 name=x
mona  /training/snapshots/first/changes/       old                    -
root  /models/checkpoints/made/promote/        name                   -
root  /models/checkpoints/made/promote/        title*                 name=best
root  /models/checkpoints/made/promote/        reason*                name=best
root  {checkpoint}/act/promote/                name                   reason=r
root  {checkpoint}/act/promote/                reason*                name=best
"""


class Field(NamedTuple):
    """A line of the table."""

    who: str
    path: str
    name: str
    rest: str

    def __str__(self) -> str:
        return f"{self.name} of {self.path}"

    @property
    def texts(self) -> list[str]:
        return list(TEXTS) if self.name.endswith("*") else BRIEF


def fields() -> list[Field]:
    return [Field(*line.split()) for line in FIELDS.splitlines() if line and line[0] != "#"]


# Routes that take POST and have no row above, by why.
WITHOUT_FIELDS = {
    "a button: the address says all": {
        "accounts:delete_view", "accounts:disconnect", "accounts:end_session",
        "accounts:end_sessions", "accounts:resend", "accounts:revoke_token",
        "account_logout", "mfa_generate_recovery_codes", "chat:choose", "chat:continue",
        "chat:delete", "chat:stop",
        "leaderboard:prize_publish", "tasks:discard", "tasks:heartbeat", "tasks:hints_away",
        "tasks:notification",
        "tasks:reclaim", "tasks:undo", "tasks:unsubscribe", "training:cancel", "training:resume",
        "training:roll_back", "training:round_go_on", "training:try_again", "training:verify",
        "training:withdraw",
    },
    "a page to read, however it is asked for": {
        "healthz", "readyz", "metrics", "site:guidelines", "site:guidelines_in", "site:terms",
        "site:privacy", "admin:index", "admin:app_list",
    },
    "a search, whose words come by GET": {"admin:search"},
    "Django's own, and accounts have no password": {"admin:password_change"},
    "leads on to the page with the form": {
        "account_signup", "mfa_list_webauthn", "admin:training_trainingrun_add",
        "admin:training_snapshot_add",
    },
}  # fmt: skip
# One view of the desk shows these of every model: the messages' list stands for the lists.
ALIKE = {
    f"admin:{model}_{page}"
    for model in MODELS.values()
    for page in ("changelist", "change", "history")
}
REFUSALS = {"403", "404", "405"}


def forms() -> set[str]:
    """Every route that takes a form from somebody, by the matrix of permissions; of the desk's
    actions those that ask for more than a reason, each by its own name."""
    asked = [row for row in page_rows() + desk_rows() if row.method == "POST"]
    routes = {row.route for row in asked if set(_signed_in(row.route, row.outcomes)) - REFUSALS}
    return {route for route in routes if not route.endswith("_act")} - ALIKE | set(_actions())


def _signed_in(route: str, outcomes: list[str]) -> list[str]:
    return outcomes if route.startswith("admin:") else outcomes[1:]


def _actions() -> Iterator[str]:
    for desk in admin.site._registry.values():
        for action in desk.desk_actions if isinstance(desk, DeskAdmin) else ():
            if action.form_class not in {NothingToAsk, ReasonForm}:
                yield f"admin:{desk._act_name} {action.name}"
