from django.core.management import call_command
from django.db import migrations


def make_cache_table(apps, schema_editor):
    """The cache lives in the database where no Redis is set: `migrate` is all that a new database needs."""
    call_command("createcachetable", "cache", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("connections", "0001_initial")]
    operations = [migrations.RunPython(make_cache_table, migrations.RunPython.noop)]
