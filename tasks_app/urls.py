"""Routes of the contributor pages."""

from django.urls import path

from tasks_app.views import (
    agreement,
    agreement_people,
    compare,
    contributions,
    dashboard,
    handout,
    home,
    messages,
    notifications,
    practice,
    queues,
    work,
)

app_name = "tasks"
urlpatterns = [
    path("", home.home, name="home"),
    path("practice/", practice.show_next, name="practice"),
    path("practice/keep/", practice.keep, name="practice_keep"),
    path("practice/<slug:item_id>/", practice.show, name="practice_item"),
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("tasks/", dashboard.task_list, name="list"),
    path("tasks/queues/", queues.queues, name="queues"),
    path("tasks/<uuid:task_id>/", work.work, name="work"),
    path("tasks/<uuid:task_id>/skip/", work.skip, name="skip"),
    path("tasks/<uuid:task_id>/undo/", work.undo_review, name="undo"),
    path("tasks/<uuid:task_id>/draft/", work.keep_draft, name="draft"),
    path("tasks/<uuid:task_id>/discard/", contributions.discard, name="discard"),
    path("tasks/<uuid:task_id>/heartbeat/", work.heartbeat, name="heartbeat"),
    path("tasks/<uuid:task_id>/preview/", work.preview, name="preview"),
    path("tasks/<uuid:task_id>/differences/", compare.show, name="differences"),
    path("tasks/<uuid:task_id>/reclaim/", handout.reclaim, name="reclaim"),
    path("tasks/<slug:kind>/next/", handout.next_task, name="next"),
    path("messages/", messages.message_list, name="messages"),
    path("messages/<uuid:message_id>/", messages.message, name="message"),
    path("messages/<uuid:message_id>/react/", messages.react, name="react"),
    path("messages/<uuid:message_id>/report/", messages.report, name="report"),
    path("messages/<uuid:message_id>/labels/", messages.label, name="label"),
    path("trees/<uuid:tree_id>/", messages.tree, name="tree"),
    path("contributions/", contributions.contributions, name="contributions"),
    path("notifications/", notifications.page, name="notifications"),
    path("notifications/read/", notifications.read, name="notifications_read"),
    path("notifications/<int:notification_id>/", notifications.show, name="notification"),
    path("notifications/unsubscribe/<str:token>/", notifications.unsubscribe, name="unsubscribe"),
    path("account/notifications/", notifications.wishes, name="wishes"),
    path("stats/agreement/", agreement.agreement, name="agreement"),
    path("stats/agreement/disputed/", agreement.disputed, name="disputed"),
    path("stats/agreement/people/", agreement_people.people, name="agreement_people"),
]
