"""What is known of the crowd: what it agrees on, gold items, and how reliable people are.

Tables of `models`.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import GoldSource, SkillGroup
from tasks_app.querysets import GoldItemQuerySet, ReliabilityQuerySet
from tasks_app.records import LANG_LENGTH


class RankingConsensus(models.Model):
    """What the rankings below `parent` agree on. The ranks themselves stand on the replies."""

    parent = models.OneToOneField(
        "Message", models.CASCADE, primary_key=True, related_name="consensus"
    )
    order = models.JSONField(_("order"), help_text=_("Message ids, best first."))
    margins = models.JSONField(_("margins"), help_text=_("[winner, loser, margin] per pair."))
    agreement = models.FloatField(_("agreement"), null=True)
    rankings = models.PositiveIntegerField(_("rankings used"))
    not_rankable = models.PositiveIntegerField(_("found not rankable"))
    computed_at = models.DateTimeField(_("computed"))

    class Meta:
        verbose_name = _("ranking consensus")

    def __str__(self) -> str:
        return f"consensus below {self.parent_id}"


class GoldItem(models.Model):
    """A message whose right labels are known; now and then it is given as a review like any other.

    Retired items are kept, for the answers that were given to them.
    """

    message = models.OneToOneField(
        "Message", models.CASCADE, primary_key=True, related_name="gold_item"
    )
    answers = models.JSONField(
        _("right answers"), help_text=_("Label name to a number from 0 to 1; spam is among them.")
    )
    explanation = models.TextField(
        _("explanation"), max_length=1000, help_text=_("Contributors read it after their answer.")
    )
    source = models.CharField(_("source"), max_length=16, choices=GoldSource)
    active = models.BooleanField(_("in use"), default=True)
    for_practice = models.BooleanField(
        _("shown to visitors"),
        default=False,
        db_default=False,
        help_text=_("Visitors practise on it, and nobody gets it among their reviews."),
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField(_("made"))

    objects = GoldItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("gold item")
        constraints = [
            models.CheckConstraint(
                name="golditem_knows_about_spam", condition=Q(answers__has_key="spam")
            ),
        ]

    def __str__(self) -> str:
        return f"gold {self.message_id}"


class GoldAnswer(models.Model):
    """What somebody answered to a gold item. No review: it says nothing about the message."""

    task = models.OneToOneField(
        "Task", models.CASCADE, primary_key=True, related_name="gold_answer"
    )
    item = models.ForeignKey(GoldItem, models.CASCADE, related_name="given", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="gold_answers")
    values = models.JSONField(_("values"), help_text=_("Label name to a number from 0 to 1."))
    missed = models.JSONField(
        _("answered otherwise"), default=list, help_text=_("Labels whose right value is another.")
    )
    created_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("answer to a gold item")
        constraints = [
            models.UniqueConstraint(fields=["item", "user"], name="goldanswer_once_per_person"),
        ]

    def __str__(self) -> str:
        return f"answer to gold {self.item_id}"

    @property
    def is_right(self) -> bool:
        """True if every answer was the right one."""
        return not self.missed


class Reliability(models.Model):
    """How well somebody judges, for one group of votes in one language.

    Derived from votes and gold answers by `reliability`; shrunk to the crowd's mean, so somebody
    with few votes counts like anybody.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="reliability", db_index=False
    )
    group = models.CharField(_("votes"), max_length=16, choices=SkillGroup)
    lang = models.CharField(_("language"), max_length=LANG_LENGTH)
    # Reviews: P(takes it in | it belongs here), P(leaves it out | it does not).
    sensitivity = models.FloatField(_("finds what is good"), null=True)
    specificity = models.FloatField(_("finds what is bad"), null=True)
    # Votes on messages that probably belong here: the posterior's counts follow from it.
    n_yes = models.FloatField(_("of those on good messages"), default=0)
    # Rankings: mean τ-b with what the others agree on. Other groups of labels: α with the others.
    agreement = models.FloatField(_("agreement with the others"), null=True)
    weight = models.FloatField(_("weight"), help_text=_("What a vote counts; 1 is the mean."))
    doubtful = models.BooleanField(_("doubtful"), default=False)
    # Rankings: puts an author first, or last, along with others who do.
    in_concert = models.BooleanField(_("favours an author with others"), default=False)
    n_votes = models.PositiveIntegerField(_("votes"), default=0)
    n_gold = models.PositiveIntegerField(_("gold answers"), default=0)
    n_gold_right = models.PositiveIntegerField(_("right gold answers"), default=0)
    updated_at = models.DateTimeField(_("computed"))

    objects = ReliabilityQuerySet.as_manager()

    class Meta:
        verbose_name = _("reliability")
        verbose_name_plural = _("reliability")
        indexes = [
            models.Index(
                fields=["weight", "id"], condition=Q(doubtful=True), name="reliability_doubtful"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "group", "lang"], name="reliability_once_per_person"
            ),
            models.CheckConstraint(
                name="reliability_weight_not_negative", condition=Q(weight__gte=0)
            ),
            models.CheckConstraint(
                name="reliability_of_its_group",
                condition=Q(
                    group=SkillGroup.ACCEPTANCE,
                    sensitivity__isnull=False,
                    specificity__isnull=False,
                    agreement=None,
                )
                | Q(
                    ~Q(group=SkillGroup.ACCEPTANCE),
                    sensitivity=None,
                    specificity=None,
                    agreement__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="reliability_gold_right_within_gold",
                condition=Q(n_gold_right__lte=models.F("n_gold")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} in {self.lang} by {self.user_id}: {self.weight:.2f}"


class Recount(models.Model):
    """A tree in which votes began or ceased to count: what follows is still to be computed."""

    tree = models.OneToOneField(
        "MessageTree", models.CASCADE, primary_key=True, related_name="recount"
    )
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("tree to count anew")

    def __str__(self) -> str:
        return f"recount of {self.tree_id}"


class CrowdMean(models.Model):
    """How well the crowd judges on average, and how far its votes have been counted."""

    group = models.CharField(_("votes"), max_length=16, choices=SkillGroup)
    lang = models.CharField(_("language"), max_length=LANG_LENGTH)
    sensitivity = models.FloatField(null=True)
    specificity = models.FloatField(null=True)
    prior = models.FloatField(null=True, help_text=_("Share of messages that belong here."))
    agreement = models.FloatField(null=True)
    # How much answers to each label of the group vary, in the order of `labels.SKILLS`.
    spreads = models.JSONField(default=list, db_default=[])
    n_votes = models.PositiveIntegerField(default=0)
    n_people = models.PositiveIntegerField(default=0)
    # Votes up to this id, and gold answers up to this time, have been looked at; so many of them
    # since everybody was fitted. What else changes a fit, like gold items or who is held back,
    # counts up `changes`; `fitted` is how many of them the last fit of everybody knew.
    last_id = models.BigIntegerField(default=0)
    last_gold_at = models.DateTimeField(null=True)
    n_fresh = models.PositiveIntegerField(default=0, db_default=0)
    changes = models.PositiveBigIntegerField(default=0)
    fitted = models.PositiveBigIntegerField(default=0)
    computed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("mean of the crowd")
        constraints = [
            models.UniqueConstraint(fields=["group", "lang"], name="crowdmean_once"),
        ]

    def __str__(self) -> str:
        return f"{self.group} in {self.lang}"
