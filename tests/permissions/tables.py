"""Who may open what: every route for everybody, by GET and by POST.

Each row of a table is a route with what its arguments stand for, a method, and one outcome a
person: a status, `login` (asked to sign in), or `go` (sent on to the route in the last column).
A method without a row is answered by 405. Trudy, who is banned, fares like a visitor everywhere.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import pytest

T = TypeVar("T", str, int)

# The message is Alice's, the review hers to do. Max is muted, Mona moderates, Root administrates.
PAGES = """
# route                       of       how  anon  alice bob   max   mona  root  go
tasks:home                    -        GET  200   go    go    go    go    go    tasks:dashboard
tasks:practice                -        GET  200   200   200   200   200   200
tasks:practice_item           practice GET  200   200   200   200   200   200
tasks:practice_keep           -        GET  login go    go    go    go    go    tasks:next
tasks:hints_away              first    POST login go    go    go    go    go    tasks:list
tasks:dashboard               -        GET  login 200   200   200   200   200
tasks:list                    -        GET  login 200   200   200   200   200
tasks:queues                  -        GET  login 200   200   200   200   200
tasks:next                    random   GET  login go    go    403   go    go    tasks:work
tasks:next                    random   POST login go    go    403   go    go    tasks:work
tasks:next                    nonsense GET  login 404   404   404   404   404
tasks:work                    review   GET  login 200   404   404   404   404
tasks:work                    review   POST login go    404   404   404   404   tasks:next
tasks:work                    maxs     GET  login 404   404   200   404   404
tasks:work                    maxs     POST login 404   404   403   404   404
tasks:skip                    review   POST login go    404   404   404   404   tasks:next
tasks:undo                    review   POST login go    404   403   404   404   tasks:work
tasks:draft                   review   POST login go    404   404   404   404   tasks:work
tasks:discard                 review   GET  login 404   404   404   404   404
tasks:discard                 review   POST login go    404   404   404   404   tasks:contributions
tasks:heartbeat               review   POST login go    404   403   404   404   tasks:work
tasks:preview                 review   POST login 200   404   404   404   404
tasks:differences             review   GET  login 404   404   404   404   404
tasks:reclaim                 review   POST login go    404   404   404   404   tasks:work
tasks:messages                -        GET  login 200   200   200   200   200
tasks:message                 message  GET  login 200   200   200   200   200
tasks:message                 refused  GET  login 200   200   200   200   200
tasks:edit                    mine     GET  login 200   404   404   404   404
tasks:edit                    mine     POST login go    404   404   404   404   tasks:message
tasks:edit                    message  GET  login 409   404   404   404   404
tasks:edit                    message  POST login 409   404   404   404   404
tasks:react                   message  GET  login 200   200   200   200   200
tasks:react                   message  POST login go    go    403   go    go    tasks:message
tasks:react                   refused  POST login go    404   404   go    go    tasks:message
tasks:react                   removed  POST login 404   404   404   404   404
tasks:report                  message  GET  login 200   200   200   200   200
tasks:report                  message  POST login go    go    403   go    go    tasks:message
tasks:report                  refused  GET  login 200   404   404   200   200
tasks:report                  refused  POST login go    404   404   go    go    tasks:message
tasks:report                  removed  GET  login 404   404   404   404   404
tasks:label                   message  GET  login 200   200   200   200   200
tasks:label                   message  POST login go    go    403   go    go    tasks:message
tasks:label                   refused  GET  login 200   404   404   200   200
tasks:label                   removed  POST login 404   404   404   404   404
tasks:tree                    tree     GET  login 200   200   200   200   200
tasks:follow                  tree     GET  405   405   405   405   405   405
tasks:follow                  tree     POST login go    go    go    go    go    tasks:tree
tasks:topics                  tree     GET  login 200   403   403   200   200
tasks:topics                  tree     POST login go    403   403   go    go    tasks:tree
tasks:contributions           -        GET  login 200   200   200   200   200
tasks:agreement               -        GET  200   200   200   200   200   200
tasks:disputed                -        GET  login 403   403   403   200   200
tasks:agreement_people        -        GET  login 403   403   403   200   200
tasks:notifications           -        GET  login 200   200   200   200   200
tasks:notifications_read      -        POST login go    go    go    go    go    tasks:notifications
tasks:notification            told     POST login go    404   404   404   404   tasks:message
tasks:question                asked    GET  login 200   404   404   404   404
tasks:question                asked    POST login go    404   404   404   404   tasks:question
tasks:wishes                  -        GET  login 200   200   200   200   200
tasks:wishes                  -        POST login go    go    go    go    go    tasks:wishes
tasks:unsubscribe             stop     GET  200   200   200   200   200   200
tasks:unsubscribe             stop     POST 200   200   200   200   200   200
tasks:unsubscribe             unknown  GET  404   404   404   404   404   404
leaderboard:board             -        GET  login 200   200   200   200   200
leaderboard:points            -        GET  login 200   200   200   200   200
leaderboard:standing          -        GET  login 200   200   200   200   200
leaderboard:prizes            -        GET  login 403   403   403   200   200
leaderboard:prizes            -        POST login 403   403   403   422   422
leaderboard:prize             prize    GET  login 200   200   200   200   200
leaderboard:prize_csv         prize    GET  login 200   200   200   200   200
leaderboard:prize_publish     prize    POST login 403   403   403   go    go    leaderboard:prize
leaderboard:stats             -        GET  200   200   200   200   200   200
leaderboard:stats_csv         plot     GET  200   200   200   200   200   200
leaderboard:stats_csv         noplot   GET  404   404   404   404   404   404
chat:list                     -        GET  login 200   200   200   200   200
chat:list                     -        POST login go    go    422   go    go    chat:chat
chat:settings                 -        GET  login 200   200   200   200   200
chat:settings                 -        POST login go    go    go    go    go    chat:settings
chat:models                   -        GET  200   200   200   200   200   200
chat:shared                   shared   GET  200   200   200   200   200   200
chat:chat                     chat     GET  login 200   404   404   404   404
chat:say                      chat     POST login go    404   404   404   404   chat:chat
chat:chat_settings            chat     GET  login 200   404   404   404   404
chat:chat_settings            chat     POST login go    404   404   404   404   chat:chat
chat:rename                   chat     GET  login 200   404   404   404   404
chat:rename                   chat     POST login go    404   404   404   404   chat:chat
chat:archive                  chat     POST login go    404   404   404   404   chat:chat
chat:delete                   chat     GET  login 200   404   404   404   404
chat:delete                   chat     POST login go    404   404   404   404   chat:list
chat:data_use                 chat     POST login go    404   404   404   404   chat:chat
chat:share                    chat     GET  login 200   404   404   404   404
chat:share                    chat     POST login go    404   404   404   404   chat:share
chat:export                   chat     GET  login 200   404   404   404   404
chat:message                  reply    GET  login 200   404   404   404   404
chat:regenerate               reply    POST login go    404   404   404   404   chat:chat
chat:continue                 reply    POST login 409   404   404   404   404
chat:stop                     reply    POST login go    404   404   404   404   chat:chat
chat:show                     reply    POST login go    404   404   404   404   chat:chat
chat:choose                   reply    POST login 400   404   404   404   404
chat:edit                     prompt   GET  login 200   404   404   404   404
chat:edit                     prompt   POST login go    404   404   404   404   chat:chat
chat:vote                     reply    POST login go    404   404   404   404   chat:chat
chat:report                   reply    GET  login 200   404   404   404   404
chat:report                   reply    POST login go    404   404   404   404   chat:chat
chat:offer                    reply    GET  login 409   404   404   404   404
chat:offer                    reply    POST login 409   404   404   404   404
training:runs                 -        GET  login 403   403   403   200   200
training:new                  -        GET  login 403   403   403   403   200
training:new                  -        POST login 403   403   403   403   go    training:run
training:preview              -        POST login 403   403   403   403   200
training:compare              -        GET  login 403   403   403   200   200
training:run                  run      GET  login 403   403   403   200   200
training:curves               run      GET  login 403   403   403   200   200
training:metrics              run      GET  login 403   403   403   200   200
training:cancel               run      POST login 403   403   403   403   go    training:run
training:resume               run      POST login 403   403   403   403   409
training:snapshots            -        GET  login 403   403   403   200   200
training:snapshots            -        POST login 403   403   403   403   go    training:snapshots
training:snapshot             snapshot GET  login 403   403   403   200   200
training:try_again            snapshot POST login 403   403   403   403   go    training:snapshots
training:withdraw             snapshot POST login 403   403   403   403   go    training:snapshots
training:verify               snapshot POST login 403   403   403   go    go    training:snapshot
training:changes              snapshot POST login 403   403   403   422   422
training:download             file     GET  login 403   403   403   403   404
training:rounds               -        GET  login 403   403   403   200   200
training:round                round    GET  login 403   403   403   200   200
training:round_samples        round    GET  login 403   403   403   404   404
training:round_go_on          round    POST login 403   403   403   403   409
training:data                 snapshot GET  200   200   200   200   200   200
training:checkpoint           made     GET  200   200   200   200   200   200
training:promote              made     POST login 403   403   403   403   422
training:model                served   GET  200   200   200   200   200   200
training:roll_back            served   POST login 403   403   403   403   409
site:guidelines               -        GET  200   200   200   200   200   200
site:guidelines               -        POST 200   200   200   200   200   200
site:terms                    -        GET  200   200   200   200   200   200
site:terms                    -        POST 200   200   200   200   200   200
site:privacy                  -        GET  200   200   200   200   200   200
site:privacy                  -        POST 200   200   200   200   200   200
site:guidelines_in            written  GET  200   200   200   200   200   200
site:guidelines_in            written  POST 200   200   200   200   200   200
site:components               -        GET  404   404   404   404   404   404
site:set_language             -        POST go    go    go    go    go    go    tasks:home
site:set_theme                -        POST go    go    go    go    go    go    tasks:home
accounts:account              -        GET  login 200   200   200   200   200
accounts:account              -        POST login 400   400   400   400   400
accounts:welcome              -        GET  login go    go    go    go    go    tasks:dashboard
accounts:welcome              -        POST login 200   200   200   200   200
accounts:email                -        GET  login 200   200   200   200   200
accounts:email                -        POST login 200   200   200   200   200
accounts:email_code           -        GET  login 405   405   405   405   405
accounts:email_code           -        POST login go    go    go    go    go    accounts:email
accounts:email_link           unknown  GET  404   404   404   404   404   404
accounts:email_link           unknown  POST 404   404   404   404   404   404
accounts:end_sessions         -        GET  login 405   405   405   405   405
accounts:end_sessions         -        POST login login login login login login
accounts:end_session          handle   GET  login 405   405   405   405   405
accounts:end_session          handle   POST login go    go    go    go    go    accounts:account
accounts:disconnect           identity GET  login 405   405   405   405   405
accounts:disconnect           identity POST login go    go    go    go    go    accounts:account
accounts:tokens               -        GET  login 200   200   200   200   200
accounts:tokens               -        POST login 400   400   400   400   400
accounts:revoke_token         token    GET  login 405   405   405   405   405
accounts:revoke_token         token    POST login go    go    go    go    go    accounts:tokens
accounts:save_view list POST login 403 403 403 go go admin:tasks_app_message_changelist
accounts:save_view            nowhere  POST login 403   403   403   404   404
accounts:delete_view view POST login 403 403 403 go go admin:tasks_app_message_changelist
accounts:link                 unknown  GET  404   404   404   404   404   404
accounts:link                 unknown  POST 404   404   404   404   404   404
accounts:sent                 -        GET  login login login login login login
accounts:sent_state           -        GET  200   200   200   200   200   200
accounts:resend               -        POST login login login login login login
accounts:code                 -        POST login login login login login login
accounts:mailbox              -        GET  404   404   404   404   404   404
accounts:mailbox_mail         mail     GET  404   404   404   404   404   404
account_login                 -        GET  200   go    go    go    go    go    tasks:dashboard
account_login                 -        POST 200   go    go    go    go    go    tasks:dashboard
account_logout                -        GET  go    200   200   200   200   200   tasks:home
account_logout                -        POST go    go    go    go    go    go    tasks:home
account_inactive              -        GET  403   403   403   403   403   403
account_signup                -        GET  login login login login login login
account_signup                -        POST login login login login login login
socialaccount_login_cancelled -        GET  200   200   200   200   200   200
socialaccount_login_error     -        GET  200   200   200   200   200   200
mfa_index                     -        GET  login 200   200   200   200   200
mfa_index                     -        POST login 405   405   405   405   405
mfa_authenticate              -        GET  login go    go    go    go    go    tasks:dashboard
mfa_authenticate              -        POST login go    go    go    go    go    tasks:dashboard
mfa_reauthenticate            -        GET  login 403   403   403   403   403
mfa_reauthenticate            -        POST login 403   403   403   403   403
mfa_activate_totp             -        GET  login 200   200   200   200   200
mfa_activate_totp             -        POST login 200   200   200   200   200
mfa_deactivate_totp           -        GET  login 404   404   404   404   404
mfa_deactivate_totp           -        POST login 404   404   404   404   404
mfa_view_recovery_codes       -        GET  login 404   404   404   404   404
mfa_view_recovery_codes       -        POST login 405   405   405   405   405
mfa_generate_recovery_codes   -        GET  login 200   200   200   200   200
mfa_generate_recovery_codes   -        POST login 200   200   200   200   200
mfa_download_recovery_codes   -        GET  login 404   404   404   404   404
mfa_download_recovery_codes   -        POST login 404   404   404   404   404
mfa_list_webauthn             -        GET  go    go    go    go    go    go    mfa_index
mfa_list_webauthn             -        POST go    go    go    go    go    go    mfa_index
mfa_add_webauthn              -        GET  login 200   200   200   200   200
mfa_add_webauthn              -        POST login 200   200   200   200   200
mfa_remove_webauthn           key      GET  login 404   404   404   404   404
mfa_remove_webauthn           key      POST login 404   404   404   404   404
mfa_login_webauthn            -        GET  login go    go    go    go    go    tasks:dashboard
mfa_login_webauthn            -        POST login go    go    go    go    go    tasks:dashboard
mfa_reauthenticate_webauthn   -        GET  login 403   403   403   403   403
mfa_reauthenticate_webauthn   -        POST login 403   403   403   403   403
privacy:download              -        GET  login 200   200   200   200   200
privacy:download              -        POST login 405   405   405   405   405
privacy:delete                -        GET  login 200   200   200   200   200
privacy:delete                -        POST login 400   400   400   400   400
healthz                       -        GET  200   200   200   200   200   200
healthz                       -        POST 200   200   200   200   200   200
readyz                        -        GET  200   200   200   200   200   200
readyz                        -        POST 200   200   200   200   200   200
metrics                       -        GET  200   200   200   200   200   200
metrics                       -        POST 200   200   200   200   200   200
"""

# The desk, all routes within `admin:`. Whoever is no staff is asked to sign in as somebody who is.
DESK = """
# route                           of               how  mona root go
index                             -                GET  200  200
index                             -                POST 200  200
search                            -                GET  200  200
search                            -                POST 200  200
app_list                          app              GET  200  200
app_list                          app              POST 200  200
autocomplete                      -                GET  403  403
jsi18n                            -                GET  200  200
view_on_site                      row              GET  404  404
view_on_site                      row              POST 404  404
password_change                   -                GET  200  200
password_change                   -                POST 200  200
password_change_done              -                GET  200  200
tasks_app_configchange_set        setting          GET  403  200
tasks_app_configchange_set        setting          POST 403  go   tasks_app_configchange_changelist
tasks_app_message_act             delete           GET  200  200
tasks_app_message_act             delete           POST go   go   tasks_app_message_change
tasks_app_messagetree_act         halt             GET  200  200
tasks_app_messagetree_act         halt             POST go   go   tasks_app_messagetree_change
tasks_app_report_act              decide           GET  200  200
tasks_app_report_act              decide           POST go   go   tasks_app_report_change
accounts_user_act                 ban              GET  200  200
accounts_user_act                 ban              POST go   go   accounts_user_change
accounts_user_act                 promote          GET  403  200
accounts_user_act                 promote          POST 403  go   accounts_user_change
tasks_app_message_act             ask              GET  200  200
tasks_app_message_act             ask              POST go   go   tasks_app_message_change
tasks_app_report_act              ask_report       GET  200  200
tasks_app_report_act              ask_report       POST go   go   tasks_app_report_change
accounts_user_act                 ask_person       GET  200  200
accounts_user_act                 ask_person       POST go   go   accounts_user_change
accounts_user_act                 ask_root         GET  403  403
accounts_user_act                 ask_root         POST 403  403
tasks_app_question_change         Question         POST 200  200
tasks_app_question_act            take_back        GET  200  200
tasks_app_question_act            take_back        POST go   go   tasks_app_question_change
accounts_user_act                 ban_root         GET  403  403
accounts_user_act                 ban_root         POST 403  403
tasks_app_message_change          Message          POST 200  200
tasks_app_messagetree_change      MessageTree      POST 200  200
tasks_app_report_change           Report           POST 200  200
tasks_app_task_change             Task             POST 200  200
accounts_user_change              User             POST 200  200
tasks_app_contribution_change     Contribution     POST 403  403
tasks_app_configchange_change     ConfigChange     POST 403  403
tasks_app_moderationaction_change ModerationAction POST 200  200
tasks_app_bulkaction_change       BulkAction       POST 200  200
tasks_app_message_act             make_gold        GET  200  200
tasks_app_message_act             make_gold        POST go   go   tasks_app_message_change
tasks_app_golditem_change         GoldItem         POST 200  200
tasks_app_golditem_act            retire           GET  200  200
tasks_app_golditem_act            retire           POST go   go   tasks_app_golditem_change
tasks_app_reliability_change      Reliability      POST 200  200
tasks_app_reliability_act         nothing          GET  404  404
tasks_app_reliability_act         nothing          POST 404  404
tasks_app_task_act                nothing          GET  404  404
tasks_app_task_act                nothing          POST 404  404
tasks_app_contribution_act        nothing          GET  404  404
tasks_app_contribution_act        nothing          POST 404  404
tasks_app_configchange_act        nothing          GET  404  404
tasks_app_configchange_act        nothing          POST 404  404
tasks_app_moderationaction_act    unmute           GET  200  200
tasks_app_moderationaction_act    unmute           POST go   go   tasks_app_moderationaction_change
tasks_app_bulkaction_act          undo             GET  200  200
tasks_app_bulkaction_act          undo             POST go   go   tasks_app_bulkaction_change
accounts_user_act                 purge            GET  200  200
accounts_user_act                 purge            POST go   go   accounts_user_change
accounts_user_act                 hold             GET  200  200
accounts_user_act                 hold             POST go   go   accounts_user_change
leaderboard_app_pointentry_act    nothing          GET  404  404
leaderboard_app_pointentry_act    nothing          POST 404  404
leaderboard_app_pointentry_change PointEntry       POST 403  403
leaderboard_app_teamgoal_act      nothing          GET  404  404
leaderboard_app_teamgoal_act      nothing          POST 404  404
leaderboard_app_teamgoal_change   TeamGoal         POST 403  403
leaderboard_app_trollstats_act    nothing          GET  404  404
leaderboard_app_trollstats_act    nothing          POST 404  404
leaderboard_app_trollstats_change TrollStats       POST 403  403
chat_app_chatreport_act           resolve          GET  200  200
chat_app_chatreport_act           resolve          POST go   go   chat_app_chatreport_change
chat_app_servedmodel_act          withdraw         GET  403  200
chat_app_servedmodel_act          withdraw         POST 403  go   chat_app_servedmodel_change
chat_app_worker_act               nothing          GET  404  404
chat_app_worker_act               nothing          POST 404  404
chat_app_chatreport_change        ChatReport       POST 200  200
chat_app_servedmodel_change       ServedModel      POST 200  200
chat_app_worker_change            Worker           POST 200  200
training_trainingrun_add          -                GET  403  >training:new
training_trainingrun_add          -                POST 403  >training:new
training_snapshot_add             -                GET  403  >training:snapshots
training_snapshot_add             -                POST 403  >training:snapshots
training_trainingrun_act          cancel           GET  403  200
training_trainingrun_act          cancel           POST 403  go   training_trainingrun_change
training_checkpoint_act           serve            GET  403  200
training_checkpoint_act           serve            POST 403  200
training_snapshot_act             nothing          GET  404  404
training_snapshot_act             nothing          POST 404  404
training_round_act                nothing          GET  404  404
training_round_act                nothing          POST 404  404
training_trainingrun_change       TrainingRun      POST 200  200
training_checkpoint_change        Checkpoint       POST 200  200
training_snapshot_change          Snapshot         POST 200  200
training_round_change             Round            POST 200  200
"""

# The same for every model: staff read; nobody adds, saves or deletes rows by hand. Of some the desk
# leads to the page where they are made.
MODEL_PAGES = """
# route            of     how  mona root go
{model}_changelist -      GET  200  200
{model}_changelist -      POST 200  200
{model}_add        -      GET  403  403
{model}_add        -      POST 403  403
{model}_change     {name} GET  200  200
{model}_delete     {name} GET  403  403
{model}_delete     {name} POST 403  403
{model}_history    {name} GET  200  200
{model}_history    {name} POST 200  200
"""
MODELS = {
    "Message": "tasks_app_message",
    "MessageTree": "tasks_app_messagetree",
    "Report": "tasks_app_report",
    "Task": "tasks_app_task",
    "Contribution": "tasks_app_contribution",
    "ConfigChange": "tasks_app_configchange",
    "ModerationAction": "tasks_app_moderationaction",
    "BulkAction": "tasks_app_bulkaction",
    "GoldItem": "tasks_app_golditem",
    "Question": "tasks_app_question",
    "Reliability": "tasks_app_reliability",
    "User": "accounts_user",
    "PointEntry": "leaderboard_app_pointentry",
    "TeamGoal": "leaderboard_app_teamgoal",
    "TrollStats": "leaderboard_app_trollstats",
    "ChatReport": "chat_app_chatreport",
    "ServedModel": "chat_app_servedmodel",
    "Worker": "chat_app_worker",
    "TrainingRun": "training_trainingrun",
    "Checkpoint": "training_checkpoint",
    "Snapshot": "training_snapshot",
    "Round": "training_round",
}

CAST = ("anon", "alice", "bob", "max", "mona", "root")
STAFF = ("mona", "root")
OUTSIDERS = ("anon", "alice", "trudy")


class Row(NamedTuple):
    """A line of a table."""

    route: str
    of: str
    method: str
    outcomes: list[str]

    @property
    def request(self) -> tuple[str, str, str]:
        return self.method, self.route, self.of


def rows(table: str, people: int, *, space: str = "") -> list[Row]:
    lines = [line.split() for line in table.splitlines() if line and line[0] != "#"]
    return [_row(line, people, space) for line in lines]


def _row(words: list[str], people: int, space: str) -> Row:
    route, of, method, *outcomes = words
    target = outcomes.pop() if len(outcomes) > people else ""
    found = [f">{space}{target}" if each == "go" else each for each in outcomes]
    return Row(space + route, of, method, found)


def page_rows() -> list[Row]:
    return rows(PAGES, len(CAST))


def desk_rows() -> list[Row]:
    """The rows of the desk, those of the table for models once a model."""
    lines = MODEL_PAGES.strip().splitlines()[1:]
    each = [line.format(name=n, model=m) for n, m in MODELS.items() for line in lines]
    own = rows(DESK, len(STAFF), space="admin:")
    listed = {row.request for row in own}
    general = rows("\n".join(each), len(STAFF), space="admin:")
    return own + [row for row in general if row.request not in listed]


every_day = pytest.mark.parametrize(
    "everybody", [False, pytest.param(True, marks=pytest.mark.full)], ids=["some", "everybody"]
)


def chosen(
    people: Sequence[str], outcomes: Sequence[T], number: int, *, everybody: bool
) -> dict[str, T]:
    """Whom to ask, and what they should get: everybody, or one person for each outcome, by the
    number of the row another in each row."""
    pairs = list(zip(people, outcomes, strict=True))
    if everybody:
        return dict(pairs)
    alike: dict[T, list[str]] = {}
    for person, outcome in pairs:
        alike.setdefault(outcome, []).append(person)
    return {group[number % len(group)]: outcome for outcome, group in alike.items()}
