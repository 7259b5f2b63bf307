"""Django app of the people: accounts, sign-in, their settings and their rights."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "oasst.accounts"
    label = "accounts"
    verbose_name = "Accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oasst.accounts.roles import give_permissions  # needs the app registry

        # Permissions exist only after each app's migrations, so a migration cannot assign them.
        post_migrate.connect(give_permissions, dispatch_uid="accounts.give_permissions")
