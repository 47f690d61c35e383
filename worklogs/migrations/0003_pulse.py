from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("worklogs", "0002_carried_hours")]

    operations = [
        migrations.CreateModel(
            name="Pulse",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("cluster", models.CharField(max_length=100, unique=True)),
                ("asked_at", models.DateTimeField(null=True)),
                ("heard_at", models.DateTimeField(null=True)),
            ],
            options={"ordering": ["cluster"]},
        ),
    ]
