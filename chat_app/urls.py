"""Routes of the chat's pages."""

from django.urls import path

from chat_app.views import chats, keeping, messages, offer, public

app_name = "chat"
_chat = "chat/<uuid:chat_id>/"
_message = _chat + "messages/<uuid:message_id>/"
urlpatterns = [
    path("chat/", chats.chat_list, name="list"),
    path("chat/settings/", keeping.own_settings, name="settings"),
    path("chat/shared/<slug:token>/", public.shared, name="shared"),
    path("models/", public.models, name="models"),
    path(_chat, chats.chat, name="chat"),
    path(_chat + "say/", chats.say, name="say"),
    path(_chat + "settings/", keeping.settings, name="chat_settings"),
    path(_chat + "rename/", keeping.rename, name="rename"),
    path(_chat + "archive/", keeping.archive, name="archive"),
    path(_chat + "delete/", keeping.delete, name="delete"),
    path(_chat + "data-use/", keeping.data_use, name="data_use"),
    path(_chat + "share/", keeping.share, name="share"),
    path(_chat + "export/", keeping.export, name="export"),
    path(_message, messages.message, name="message"),
    path(_message + "regenerate/", messages.regenerate, name="regenerate"),
    path(_message + "continue/", messages.carry_on, name="continue"),
    path(_message + "stop/", messages.stop, name="stop"),
    path(_message + "show/", messages.show, name="show"),
    path(_message + "choose/", messages.choose, name="choose"),
    path(_message + "edit/", messages.edit, name="edit"),
    path(_message + "vote/", messages.vote, name="vote"),
    path(_message + "report/", messages.report, name="report"),
    path(_message + "offer/", offer.offer, name="offer"),
]
