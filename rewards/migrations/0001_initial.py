
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('annotate', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='RewardModel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('base_name', models.CharField(help_text='The policy that it was started from.', max_length=120)),
                ('folder', models.CharField(help_text='Below PLACKETT_HOME.', max_length=200)),
                ('accuracy', models.FloatField(blank=True, help_text='On held-out prompts; equal scores count half.', null=True)),
                ('accuracy_low', models.FloatField(blank=True, null=True)),
                ('accuracy_high', models.FloatField(blank=True, null=True)),
                ('log_loss', models.FloatField(blank=True, null=True)),
                ('metrics', models.JSONField(default=dict)),
                ('size_bytes', models.PositiveBigIntegerField(default=0)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reward_models', to='annotate.project')),
                ('snapshot', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reward_models', to='annotate.snapshot')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Score',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.FloatField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('answer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scores', to='annotate.answer')),
                ('reward_model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scores', to='rewards.rewardmodel')),
            ],
        ),
        migrations.AddConstraint(
            model_name='rewardmodel',
            constraint=models.UniqueConstraint(fields=('project', 'name'), name='one_reward_model_per_name_and_project'),
        ),
        migrations.AddConstraint(
            model_name='rewardmodel',
            constraint=models.CheckConstraint(condition=models.Q(('accuracy', None), models.Q(('accuracy__gte', 0), ('accuracy__lte', 1)), _connector='OR'), name='reward_model_accuracy_between_0_and_1'),
        ),
        migrations.AddConstraint(
            model_name='score',
            constraint=models.UniqueConstraint(fields=('reward_model', 'answer'), name='one_score_per_reward_model_and_answer'),
        ),
    ]
