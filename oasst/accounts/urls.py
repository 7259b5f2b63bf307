"""Sign-in, the account, the development mailbox; and the few pages of allauth that we use.

The names `account_…`, `socialaccount_…` and `mfa_…` are those allauth looks up. Its own forms for
passwords, sign-up and addresses are not mounted: sign-in by e-mail replaces them.
"""

from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.urls import build_provider_urlpatterns
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView, TemplateView

from oasst.accounts.views import (
    account,
    api_tokens,
    mailbox,
    saved_views,
    second_factor,
    signing_in,
)

own_pages = [
    path("accounts/login/sent/", signing_in.sent, name="sent"),
    path("accounts/login/sent/state/", signing_in.sent_state, name="sent_state"),
    path("accounts/login/resend/", signing_in.resend, name="resend"),
    path("accounts/login/code/", signing_in.code, name="code"),
    path("accounts/login/link/<str:token>/", signing_in.link, name="link"),
    path("account/", account.account, name="account"),
    path("account/welcome/", account.welcome, name="welcome"),
    path("account/email/", account.change_email, name="email"),
    path("account/email/code/", account.email_code, name="email_code"),
    path("account/email/link/<str:token>/", account.email_link, name="email_link"),
    path("account/sessions/end/", account.end_sessions, name="end_sessions"),
    path("account/sessions/<str:handle>/end/", account.end_session, name="end_session"),
    path(
        "account/connections/<int:identity_id>/disconnect/", account.disconnect, name="disconnect"
    ),
    path("account/tokens/", api_tokens.api_tokens, name="tokens"),
    path("account/tokens/<uuid:token_id>/revoke/", api_tokens.revoke, name="revoke_token"),
    path("admin/views/<str:list_name>/", saved_views.save, name="save_view"),
    path(
        "admin/views/<str:list_name>/<uuid:view_id>/delete/",
        saved_views.delete,
        name="delete_view",
    ),
    path("dev/mailbox/", mailbox.mails, name="mailbox"),
    path("dev/mailbox/<str:mail_id>/", mailbox.mail, name="mailbox_mail"),
]

second_factor_pages = [
    path("", mfa.index, name="mfa_index"),
    path("sign-in/", mfa.authenticate, name="mfa_authenticate"),
    path("again/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("app/", second_factor.ActivateApp.as_view(), name="mfa_activate_totp"),
    path("app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("codes/new/", recovery_codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("codes/file/", recovery_codes.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("passkeys/", RedirectView.as_view(pattern_name="mfa_index"), name="mfa_list_webauthn"),
    path("passkeys/add/", second_factor.AddPasskey.as_view(), name="mfa_add_webauthn"),
    path("passkeys/<int:pk>/remove/", webauthn.remove_webauthn, name="mfa_remove_webauthn"),
    path("passkeys/sign-in/", webauthn.login_webauthn, name="mfa_login_webauthn"),
    path("passkeys/again/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((own_pages, "accounts"))),
    path("accounts/login/", signing_in.login, name="account_login"),
    path("accounts/logout/", signing_in.logout, name="account_logout"),
    path("accounts/inactive/", signing_in.inactive, name="account_inactive"),
    path(
        "accounts/signup/",
        RedirectView.as_view(pattern_name="account_login", query_string=True),
        name="account_signup",
    ),
    path(
        "accounts/3rdparty/login/cancelled/",
        TemplateView.as_view(template_name="socialaccount/login_cancelled.html"),
        name="socialaccount_login_cancelled",
    ),
    path(
        "accounts/3rdparty/login/error/",
        TemplateView.as_view(template_name="socialaccount/authentication_error.html"),
        name="socialaccount_login_error",
    ),
    path("account/second-factor/", include(second_factor_pages)),
    path("accounts/", include(build_provider_urlpatterns())),
]
