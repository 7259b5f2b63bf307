"""How allauth behaves here: redirects stay on this site, providers must vouch for addresses,
secrets are stored sealed.
"""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import Http404, HttpRequest
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.translation import gettext as _

from oasst.accounts import people, security_news, sessions
from oasst.accounts.models import User
from oasst.accounts.redirects import safe_path
from oasst.lib import sealing


class AccountAdapter(DefaultAccountAdapter):
    def is_safe_url(self, url: str) -> bool:
        return bool(safe_path(url))

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        super().login(request, user)
        sessions.begin(request, now=timezone.now())

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """Say what concerns the ways into an account; our own views speak of the rest."""
        text = message or security_news.text_of(message_template)
        if text:
            messages.add_message(request, level, text)

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        security_news.mail(user, template_prefix)


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return sealing.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(encrypted_text)


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def get_app(self, request: HttpRequest, *args: Any, **kwargs: Any) -> SocialApp:
        """The keys of a provider; the pages of one that is not set up do not exist."""
        try:
            return super().get_app(request, *args, **kwargs)
        except SocialApp.DoesNotExist as error:
            raise Http404 from error

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: SocialAccount) -> str:
        return resolve_url("accounts:account")

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Let in who is known, or whose address the provider has verified; else ask for a mail."""
        verified = [a.email.lower() for a in sociallogin.email_addresses if a.verified]
        for email in verified:
            user = people.find(email)
            if user is not None and user.email == email:
                people.set_address(user, email)
        connects = sociallogin.state.get("process") == AuthProcess.CONNECT
        if sociallogin.is_existing or verified or connects:
            return
        provider = sociallogin.account.get_provider().name
        text = _("%(provider)s has not confirmed an e-mail address of yours. Sign in by e-mail.")
        messages.warning(request, text % {"provider": provider})
        raise ImmediateHttpResponse(redirect("account_login"))
