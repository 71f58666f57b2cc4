
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('annotate', '0001_initial'),
        ('rewards', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Home',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mark', models.CharField(max_length=64)),
                ('only', models.BooleanField(default=True, editable=False, unique=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('only', True)), name='there_is_one_home')],
            },
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=20)),
                ('queue', models.CharField(choices=[('jobs', 'Jobs with torch'), ('light', 'Light work')], default='jobs', max_length=8)),
                ('spec', models.JSONField(default=dict, help_text='Every setting, as the dataclass of the kind writes it.')),
                ('inputs', models.JSONField(default=dict, help_text='Ids of the rows that it works on.')),
                ('state', models.CharField(choices=[('queued', 'Waiting'), ('running', 'Running'), ('succeeded', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                ('priority', models.IntegerField(default=0, help_text='Smaller comes first.')),
                ('devices_wanted', models.PositiveSmallIntegerField(default=1)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('interruptions', models.PositiveIntegerField(default=0)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('published_at', models.DateTimeField(blank=True, null=True)),
                ('cancel_requested', models.BooleanField(default=False)),
                ('stop_requested', models.BooleanField(default=False)),
                ('progress', models.JSONField(default=dict, help_text='step, total, the latest metrics, the latest message.')),
                ('progress_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.TextField(blank=True, default='', help_text='Why it failed, and what to do.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='jobs', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to='annotate.project')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Policy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, unique=True)),
                ('description', models.TextField(blank=True, default='')),
                ('folder', models.CharField(help_text='Below PLACKETT_HOME.', max_length=200)),
                ('details', models.JSONField(default=dict, help_text='Architecture, parameters, where it came from.')),
                ('size_bytes', models.PositiveBigIntegerField(default=0)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('base', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='descendants', to='training.policy')),
                ('job', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='policies', to='training.job')),
            ],
            options={
                'verbose_name_plural': 'policies',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Fitting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reward_model', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='fitting', to='rewards.rewardmodel')),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='fittings', to='training.job')),
                ('base_policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='fittings', to='training.policy')),
            ],
        ),
        migrations.CreateModel(
            name='Sampling',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('batch', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='sampling', to='annotate.answerbatch')),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='samplings', to='training.job')),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='samplings', to='training.policy')),
                ('reward_model', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='samplings', to='rewards.rewardmodel')),
            ],
        ),
        migrations.CreateModel(
            name='Worker',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('host', models.CharField(max_length=200)),
                ('queue', models.CharField(choices=[('jobs', 'Jobs with torch'), ('light', 'Light work')], max_length=8)),
                ('pid', models.PositiveIntegerField()),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('draining', models.BooleanField(default=False)),
            ],
            options={
                'ordering': ['host', 'queue', 'id'],
                'constraints': [models.UniqueConstraint(fields=('host', 'queue', 'pid'), name='one_worker_per_process')],
            },
        ),
        migrations.AddField(
            model_name='job',
            name='worker',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='jobs', to='training.worker'),
        ),
        migrations.CreateModel(
            name='Device',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('host', models.CharField(max_length=200)),
                ('index', models.PositiveSmallIntegerField()),
                ('name', models.CharField(default='cpu', max_length=100)),
                ('job', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='devices', to='training.job')),
            ],
            options={
                'ordering': ['host', 'index'],
                'constraints': [models.UniqueConstraint(fields=('host', 'index'), name='one_device_per_host_and_index')],
            },
        ),
        migrations.CreateModel(
            name='Artefact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.CharField(help_text="Below the job's folder.", max_length=300)),
                ('sha256', models.CharField(max_length=64)),
                ('size_bytes', models.PositiveBigIntegerField()),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='artefacts', to='training.job')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('job', 'path'), name='one_artefact_per_job_and_path')],
            },
        ),
        migrations.CreateModel(
            name='Metric',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60)),
                ('step', models.PositiveIntegerField()),
                ('value', models.FloatField()),
                ('attempt', models.PositiveIntegerField()),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='metrics', to='training.job')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('job', 'name', 'step'), name='one_value_per_job_name_and_step')],
            },
        ),
        migrations.CreateModel(
            name='Evaluation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('results', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='evaluations', to='annotate.project')),
                ('policies', models.ManyToManyField(related_name='evaluations', to='training.policy')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'name'), name='one_evaluation_per_name_and_project')],
            },
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('state', 'queued')), fields=['queue', 'priority', 'id'], name='jobs_waiting'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('state', 'running')), fields=['lease_until'], name='jobs_running_by_lease'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'running', 'succeeded', 'failed', 'cancelled'])), name='job_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'running'), _negated=True), ('lease_until__isnull', False), _connector='OR'), name='a_running_job_has_a_lease'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(('kind', 'convert'), ('project__isnull', False), _connector='OR'), name='a_job_belongs_to_a_project_unless_it_converts'),
        ),
    ]
