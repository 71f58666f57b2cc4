from django.db import migrations


class Migration(migrations.Migration):
    """knox makes its own table of tokens though ours replaces it; the unused one would point at our users for ever."""

    dependencies = [
        ('annotate', '0002_claims'),
        ('knox', '0009_extend_authtoken_field'),
    ]

    operations = [
        migrations.RunSQL('DROP TABLE IF EXISTS knox_authtoken', migrations.RunSQL.noop),
    ]
