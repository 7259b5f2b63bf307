
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tasks_app', '0034_fill_search_by_language'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='reliability',
            name='reliability_of_its_group',
        ),
        migrations.AddField(
            model_name='crowdmean',
            name='spreads',
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AlterField(
            model_name='crowdmean',
            name='group',
            field=models.CharField(choices=[('acceptance', 'Reviews: does it belong here?'), ('flags', 'Reviews: what is the matter?'), ('quality', 'Reviews: how good is it?'), ('tone', 'Reviews: in which tone?'), ('ranking', 'Rankings')], max_length=16, verbose_name='votes'),
        ),
        migrations.AlterField(
            model_name='reliability',
            name='group',
            field=models.CharField(choices=[('acceptance', 'Reviews: does it belong here?'), ('flags', 'Reviews: what is the matter?'), ('quality', 'Reviews: how good is it?'), ('tone', 'Reviews: in which tone?'), ('ranking', 'Rankings')], max_length=16, verbose_name='votes'),
        ),
        migrations.AddConstraint(
            model_name='reliability',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('agreement', None), ('group', 'acceptance'), ('sensitivity__isnull', False), ('specificity__isnull', False)), models.Q(models.Q(('group', 'acceptance'), _negated=True), ('agreement__isnull', False), ('sensitivity', None), ('specificity', None)), _connector='OR'), name='reliability_of_its_group'),
        ),
    ]
