"""Who wants to be told of which conversation. Written by `following`."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class TreeFollow(models.Model):
    """Somebody follows a message tree."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False
    )
    tree = models.ForeignKey("MessageTree", models.CASCADE, related_name="follows")
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("followed tree")
        constraints = [
            models.UniqueConstraint(fields=["user", "tree"], name="treefollow_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} follows {self.tree_id}"
