
import annotate.models.projects
import django.contrib.auth.models
import django.contrib.auth.validators
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


APPEND_ONLY = """
CREATE FUNCTION annotate_auditevent_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Audit events are append-only.';
END $$;
CREATE TRIGGER annotate_auditevent_append_only BEFORE UPDATE OR DELETE ON annotate_auditevent
    FOR EACH ROW EXECUTE FUNCTION annotate_auditevent_refuse();
"""
NOT_APPEND_ONLY = """
DROP TRIGGER annotate_auditevent_append_only ON annotate_auditevent;
DROP FUNCTION annotate_auditevent_refuse();
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'user',
                'verbose_name_plural': 'users',
                'abstract': False,
            },
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='Project',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=60, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True, default='')),
                ('purpose', models.CharField(choices=[('training', 'Training'), ('evaluation', 'Evaluation: its rankings never enter training')], default='training', max_length=12)),
                ('rankings_wanted', models.PositiveSmallIntegerField(default=1, help_text='How many people rank each task.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(50)])),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['name', 'id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('purpose__in', ['training', 'evaluation'])), name='project_purpose_is_known'), models.CheckConstraint(condition=models.Q(('rankings_wanted__gte', 1)), name='project_wants_a_ranking')],
            },
        ),
        migrations.CreateModel(
            name='Labeler',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pseudonym', models.CharField(default=annotate.models.projects.new_pseudonym, max_length=100)),
                ('queue_priority', models.IntegerField(blank=True, help_text='How far they are in the queue of tasks.', null=True)),
                ('queue_task', models.BigIntegerField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='labelers', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='labelers', to='annotate.project')),
            ],
        ),
        migrations.CreateModel(
            name='Guidelines',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('text', models.TextField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('author', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='guidelines', to='annotate.project')),
            ],
        ),
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('action', models.CharField(max_length=60)),
                ('subject', models.CharField(blank=True, default='', max_length=200)),
                ('details', models.JSONField(default=dict)),
                ('ip_address', models.GenericIPAddressField(blank=True, null=True)),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotate.project')),
            ],
        ),
        migrations.CreateModel(
            name='Assignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('open', 'Open'), ('lapsed', 'Lapsed'), ('done', 'Done'), ('skipped', 'Skipped')], default='open', max_length=8)),
                ('lease_until', models.DateTimeField()),
                ('order', models.JSONField(default=list, help_text='Ids of the answers in the order that this labeler sees.')),
                ('draft', models.JSONField(default=dict)),
                ('active_seconds', models.PositiveIntegerField(default=0)),
                ('skip_reason', models.CharField(blank=True, choices=[('unclear', 'The prompt is unclear'), ('cannot_judge', 'I cannot judge this subject'), ('all_bad', 'All answers are unusable'), ('broken', 'The text is broken or unreadable'), ('harmful', 'It is harmful or upsetting'), ('other', 'Another reason')], default='', max_length=12)),
                ('skip_note', models.TextField(blank=True, default='')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('labeler', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='annotate.labeler')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='annotate.project')),
            ],
        ),
        migrations.CreateModel(
            name='AnswerBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200)),
                ('source', models.CharField(choices=[('policy', 'A policy'), ('import', 'An import'), ('people', 'People')], max_length=8)),
                ('source_name', models.CharField(help_text="What an export calls it, for example a policy's name.", max_length=200)),
                ('settings', models.JSONField(default=dict, help_text='How the answers were sampled.')),
                ('for_ranking', models.BooleanField(default=False, help_text='Make a ranking task of each prompt once it is complete.')),
                ('answers_wanted', models.PositiveSmallIntegerField(default=1, help_text='For each prompt.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answer_batches', to='annotate.project')),
            ],
            options={
                'verbose_name_plural': 'answer batches',
            },
        ),
        migrations.CreateModel(
            name='Prompt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(max_length=200)),
                ('root', models.CharField(help_text='The conversation that it came from: splits never cut one.', max_length=200)),
                ('messages', models.JSONField()),
                ('content_sha256', models.CharField(max_length=64)),
                ('split', models.CharField(choices=[('train', 'Training'), ('id_test', 'Test, in distribution'), ('ood_test', 'Test, out of distribution')], default='train', max_length=10)),
                ('metadata', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='prompts', to='annotate.project')),
            ],
        ),
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('index', models.PositiveSmallIntegerField()),
                ('text', models.TextField(blank=True)),
                ('token_ids', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), blank=True, null=True, size=None)),
                ('logprobs', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), blank=True, null=True, size=None)),
                ('logprob', models.FloatField(blank=True, help_text="Sum over the answer's tokens, in nats.", null=True)),
                ('finish_reason', models.CharField(blank=True, default='', max_length=20)),
                ('seed', models.BigIntegerField(blank=True, null=True)),
                ('metadata', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('batch', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='annotate.answerbatch')),
                ('prompt', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='annotate.prompt')),
            ],
        ),
        migrations.CreateModel(
            name='Ranking',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ranks', models.JSONField(help_text="In the order of the task's positions, competition style: 1, 2, 2, 4.")),
                ('strength', models.FloatField(blank=True, null=True)),
                ('submission_id', models.UUIDField(unique=True)),
                ('payload_sha256', models.CharField(max_length=64)),
                ('surplus', models.BooleanField(default=False, help_text='Came after the task had all the rankings it wanted.')),
                ('active_seconds', models.PositiveIntegerField(default=0)),
                ('guidelines_version', models.PositiveIntegerField(blank=True, null=True)),
                ('page_version', models.CharField(blank=True, default='', max_length=40)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('assignment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='rankings', to='annotate.assignment')),
                ('labeler', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rankings', to='annotate.labeler')),
            ],
        ),
        migrations.CreateModel(
            name='Comparison',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('implied', 'Implied by a ranking'), ('judged', 'Judged on the way'), ('edit', 'The edited answer beats the original')], default='implied', max_length=8)),
                ('tie', models.BooleanField(default=False)),
                ('chosen', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='wins', to='annotate.answer')),
                ('rejected', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='losses', to='annotate.answer')),
                ('prompt', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='comparisons', to='annotate.prompt')),
                ('ranking', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='comparisons', to='annotate.ranking')),
            ],
        ),
        migrations.CreateModel(
            name='RankingTask',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rankings_wanted', models.PositiveSmallIntegerField(default=1)),
                ('open_slots', models.PositiveSmallIntegerField(default=1, help_text='Rankings still to give out.')),
                ('priority', models.IntegerField(default=0, help_text='Smaller comes first.')),
                ('flags', models.JSONField(default=list, help_text='What is odd about it, for example equal_texts.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('batch', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='ranking_tasks', to='annotate.answerbatch')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='ranking_tasks', to='annotate.project')),
                ('prompt', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='ranking_tasks', to='annotate.prompt')),
                ('repeat_of', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='repeats', to='annotate.rankingtask')),
                ('reserved_for', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='annotate.labeler')),
            ],
        ),
        migrations.AddField(
            model_name='ranking',
            name='task',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rankings', to='annotate.rankingtask'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='task',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='annotate.rankingtask'),
        ),
        migrations.CreateModel(
            name='SignInLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('secret_sha256', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sign_in_links', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('rankings', 'Rankings'), ('demonstrations', 'Demonstrations'), ('prompts', 'Prompts')], default='rankings', max_length=14)),
                ('purpose', models.CharField(choices=[('training', 'For training: test prompts are left out'), ('testing', 'For testing: training refuses it')], default='training', max_length=8)),
                ('sha256', models.CharField(max_length=64)),
                ('size_bytes', models.PositiveBigIntegerField()),
                ('counts', models.JSONField(default=dict, help_text='Rows, prompts, comparisons, ties, labelers, left out.')),
                ('guidelines_versions', models.JSONField(default=list)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='snapshots', to='annotate.project')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='TaskAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('answer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotate.answer')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='task_answers', to='annotate.rankingtask')),
            ],
            options={
                'ordering': ['task_id', 'position'],
            },
        ),
        migrations.AddField(
            model_name='rankingtask',
            name='answers',
            field=models.ManyToManyField(related_name='ranking_tasks', through='annotate.TaskAnswer', to='annotate.answer'),
        ),
        migrations.CreateModel(
            name='Token',
            fields=[
                ('digest', models.CharField(max_length=128, primary_key=True, serialize=False)),
                ('token_key', models.CharField(db_index=True, max_length=25)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('expiry', models.DateTimeField(blank=True, null=True)),
                ('name', models.CharField(default='', max_length=100)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'Read'), ('upload', 'Upload'), ('freeze', 'Freeze snapshots'), ('download', 'Download'), ('jobs', 'Launch and cancel jobs'), ('admin', 'Change members and settings')], max_length=16), default=list, size=None)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='auth_token_set', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Withdrawal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ranking', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='withdrawal', to='annotate.ranking')),
            ],
        ),
        migrations.CreateModel(
            name='WritingTask',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('answers_wanted', models.PositiveSmallIntegerField(default=1)),
                ('open_slots', models.PositiveSmallIntegerField(default=1)),
                ('priority', models.IntegerField(default=0)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='writing_tasks', to='annotate.project')),
                ('prompt', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='writing_tasks', to='annotate.prompt')),
            ],
        ),
        migrations.AddField(
            model_name='assignment',
            name='writing_task',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='annotate.writingtask'),
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('labeler', 'Labeler: ranks and writes'), ('reviewer', 'Reviewer: also reads and flags rankings'), ('researcher', 'Researcher: also imports, freezes, exports and launches'), ('admin', 'Admin: also edits members and settings')], default='labeler', max_length=12)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='annotate.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'user'), name='one_membership_per_person_and_project'), models.CheckConstraint(condition=models.Q(('role__in', ['labeler', 'reviewer', 'researcher', 'admin'])), name='membership_role_is_known')],
            },
        ),
        migrations.AddConstraint(
            model_name='labeler',
            constraint=models.UniqueConstraint(fields=('project', 'user'), name='one_labeler_per_person_and_project'),
        ),
        migrations.AddConstraint(
            model_name='labeler',
            constraint=models.UniqueConstraint(fields=('project', 'pseudonym'), name='one_labeler_per_pseudonym_and_project'),
        ),
        migrations.AddConstraint(
            model_name='guidelines',
            constraint=models.UniqueConstraint(fields=('project', 'version'), name='one_guidelines_text_per_version'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['project', '-id'], name='audit_by_project'),
        ),
        migrations.AddConstraint(
            model_name='answerbatch',
            constraint=models.CheckConstraint(condition=models.Q(('source__in', ['policy', 'import', 'people'])), name='batch_source_is_known'),
        ),
        migrations.AddConstraint(
            model_name='answerbatch',
            constraint=models.CheckConstraint(condition=models.Q(('answers_wanted__gte', 1)), name='batch_wants_an_answer'),
        ),
        migrations.AddIndex(
            model_name='prompt',
            index=models.Index(fields=['project', 'split', 'id'], name='prompts_of_a_split'),
        ),
        migrations.AddIndex(
            model_name='prompt',
            index=models.Index(fields=['project', 'root'], name='prompts_of_a_root'),
        ),
        migrations.AddConstraint(
            model_name='prompt',
            constraint=models.UniqueConstraint(fields=('project', 'external_id'), name='one_prompt_per_external_id'),
        ),
        migrations.AddConstraint(
            model_name='prompt',
            constraint=models.CheckConstraint(condition=models.Q(('split__in', ['train', 'id_test', 'ood_test'])), name='prompt_split_is_known'),
        ),
        migrations.AddConstraint(
            model_name='prompt',
            constraint=models.CheckConstraint(condition=models.Q(('messages', []), _negated=True), name='prompt_has_messages'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.UniqueConstraint(fields=('batch', 'prompt', 'index'), name='one_answer_per_batch_prompt_and_index'),
        ),
        migrations.AddConstraint(
            model_name='comparison',
            constraint=models.CheckConstraint(condition=models.Q(('chosen', models.F('rejected')), _negated=True), name='comparison_of_two_answers'),
        ),
        migrations.AddConstraint(
            model_name='comparison',
            constraint=models.CheckConstraint(condition=models.Q(('tie', False), ('chosen__lt', models.F('rejected')), _connector='OR'), name='a_tie_stands_in_order'),
        ),
        migrations.AddConstraint(
            model_name='comparison',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['implied', 'judged', 'edit'])), name='comparison_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='comparison',
            constraint=models.UniqueConstraint(models.F('ranking'), models.F('kind'), django.db.models.functions.comparison.Least('chosen', 'rejected'), django.db.models.functions.comparison.Greatest('chosen', 'rejected'), name='one_comparison_per_ranking_kind_and_pair'),
        ),
        migrations.AddIndex(
            model_name='ranking',
            index=models.Index(fields=['labeler', '-id'], name='rankings_of_a_labeler'),
        ),
        migrations.AddIndex(
            model_name='ranking',
            index=models.Index(fields=['labeler', 'created_at'], name='rankings_of_a_labeler_by_time'),
        ),
        migrations.AddConstraint(
            model_name='ranking',
            constraint=models.CheckConstraint(condition=models.Q(('ranks', []), _negated=True), name='ranking_ranks_something'),
        ),
        migrations.AddConstraint(
            model_name='snapshot',
            constraint=models.UniqueConstraint(fields=('project', 'kind', 'purpose', 'sha256'), name='one_snapshot_per_content'),
        ),
        migrations.AddConstraint(
            model_name='snapshot',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['rankings', 'demonstrations', 'prompts'])), name='snapshot_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='snapshot',
            constraint=models.CheckConstraint(condition=models.Q(('purpose__in', ['training', 'testing'])), name='snapshot_purpose_is_known'),
        ),
        migrations.AddConstraint(
            model_name='taskanswer',
            constraint=models.UniqueConstraint(fields=('task', 'answer'), name='an_answer_once_per_task'),
        ),
        migrations.AddConstraint(
            model_name='taskanswer',
            constraint=models.UniqueConstraint(fields=('task', 'position'), name='a_position_once_per_task'),
        ),
        migrations.AddConstraint(
            model_name='taskanswer',
            constraint=models.CheckConstraint(condition=models.Q(('position__lt', 16)), name='at_most_16_answers_in_a_task'),
        ),
        migrations.AddIndex(
            model_name='rankingtask',
            index=models.Index(condition=models.Q(('open_slots__gt', 0)), fields=['project', 'priority', 'id'], name='tasks_with_open_slots'),
        ),
        migrations.AddConstraint(
            model_name='rankingtask',
            constraint=models.CheckConstraint(condition=models.Q(('open_slots__gte', 0), ('open_slots__lte', models.F('rankings_wanted'))), name='open_slots_between_0_and_rankings_wanted'),
        ),
        migrations.AddConstraint(
            model_name='rankingtask',
            constraint=models.CheckConstraint(condition=models.Q(('repeat_of', None), ('reserved_for__isnull', False), _connector='OR'), name='a_repeat_is_reserved_for_one_labeler'),
        ),
        migrations.AddConstraint(
            model_name='rankingtask',
            constraint=models.UniqueConstraint(condition=models.Q(('repeat_of', None)), fields=('batch', 'prompt'), name='one_task_per_batch_and_prompt'),
        ),
        migrations.AddConstraint(
            model_name='token',
            constraint=models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['read', 'upload', 'freeze', 'download', 'jobs', 'admin'])), name='token_scopes_are_known'),
        ),
        migrations.AddConstraint(
            model_name='writingtask',
            constraint=models.CheckConstraint(condition=models.Q(('open_slots__gte', 0), ('open_slots__lte', models.F('answers_wanted'))), name='open_slots_between_0_and_answers_wanted'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['lease_until'], name='open_assignments_by_lease'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('state', 'lapsed')), fields=['labeler', '-id'], name='lapsed_assignments_of_labeler'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(fields=('task', 'labeler'), name='one_assignment_per_task_and_labeler'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(fields=('writing_task', 'labeler'), name='one_assignment_per_writing_task_and_labeler'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('labeler',), name='one_open_assignment_per_labeler_and_project'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('task__isnull', True), ('writing_task__isnull', False)), models.Q(('task__isnull', False), ('writing_task__isnull', True)), _connector='OR'), name='assignment_of_exactly_one_task'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['open', 'lapsed', 'done', 'skipped'])), name='assignment_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'skipped'), _negated=True), models.Q(('skip_reason', ''), _negated=True), _connector='OR'), name='a_skip_has_a_reason'),
        ),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY),
    ]
