"""How allauth behaves here: redirects stay on this site, providers must vouch for addresses."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import Http404, HttpRequest
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from oasst.accounts import people, sessions
from oasst.accounts.redirects import safe_path


class AccountAdapter(DefaultAccountAdapter):
    def is_safe_url(self, url: str) -> bool:
        return bool(safe_path(url))

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        super().login(request, user)
        sessions.begin(request, now=timezone.now())

    def add_message(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Say nothing: our own views speak where there is something to say."""


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def get_app(self, request: HttpRequest, *args: Any, **kwargs: Any) -> SocialApp:
        """The keys of a provider; the pages of one that is not set up do not exist."""
        try:
            return super().get_app(request, *args, **kwargs)
        except SocialApp.DoesNotExist as error:
            raise Http404 from error

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Let in who is known, or whose address the provider has verified; else ask for a mail."""
        verified = [a.email.lower() for a in sociallogin.email_addresses if a.verified]
        for email in verified:
            user = people.find(email)
            if user is not None and user.email == email:
                people.set_address(user, email)
        if sociallogin.is_existing or verified:
            return
        provider = sociallogin.account.get_provider().name
        text = _("%(provider)s has not confirmed an e-mail address of yours. Sign in by e-mail.")
        messages.warning(request, text % {"provider": provider})
        raise ImmediateHttpResponse(redirect("account_login"))
