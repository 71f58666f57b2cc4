from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rewards", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="rewardmodel",
            name="evaluation",
            field=models.JSONField(
                default=dict, help_text="What its held-out comparisons say (rewards/evaluation.py)."
            ),
        ),
    ]
