
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leaderboard_app', '0007_rankings_wait_for_more'),
    ]

    operations = [
        migrations.AlterField(
            model_name='pointentry',
            name='why',
            field=models.CharField(choices=[('waits_for_reviews', 'Waits for the reviews of others.'), ('waits_for_ranks', 'Waits until the ranks are counted.'), ('waits_for_more', 'It is a little early to tell. This counts as soon as some more of what you write, review and rank agrees with the others.'), ('stopped', 'The conversation was stopped. If it goes on, so does this.'), ('accepted', 'The reviewers took it in.'), ('decided', 'The message was decided, and your answers are close to the others’.'), ('ranked', 'The ranks were counted.'), ('agreed', 'Your order is close to that of the others.'), ('placed', 'The rankings of all agree on this place.'), ('counted', 'Counts at once.'), ('rejected', 'The reviewers did not take it in. The next one may well fit.'), ('undecided', 'The decision was taken back; it counts again when it is made.'), ('removed', 'A moderator, or enough readers, took it out.'), ('halted', 'The conversation that it began was stopped.'), ('moved', 'Later rankings changed the place.'), ('far_off', 'Your answers were far from those of everybody else.'), ('held', 'Around that time, what you wrote or answered was often far from the others’; it counts as soon as more of it is close.'), ('too_quick', 'This was sent faster than one can read.'), ('banned', 'The account is banned.')], max_length=24, verbose_name='why'),
        ),
    ]
