"""Tokens of our own in the place of knox's. No page ever made one of those, so none is lost."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

SCOPES = [
    ('read', 'Read: projects, prompts, answers, rankings, snapshots'),
    ('upload', 'Upload: import files'),
    ('freeze', 'Freeze: make snapshots'),
    ('download', 'Download: the files of snapshots'),
    ('jobs', 'Jobs: launch and cancel them'),
    ('admin', 'Admin: change members and settings'),
]


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0005_agreement_figures'),
    ]

    operations = [
        migrations.DeleteModel(name='Token'),
        migrations.CreateModel(
            name='Token',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='What it is for.', max_length=100)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=SCOPES, max_length=16), size=None)),
                ('secret_sha256', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
                ('project', models.ForeignKey(blank=True, help_text='Empty: all.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='annotate.project')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['read', 'upload', 'freeze', 'download', 'jobs', 'admin'])), name='token_scopes_are_known'),
                    models.CheckConstraint(condition=models.Q(('scopes', []), _negated=True), name='token_has_a_scope'),
                ],
            },
        ),
    ]
