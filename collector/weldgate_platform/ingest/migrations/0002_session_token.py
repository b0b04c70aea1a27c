from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ingest", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="session",
            name="token",
            field=models.CharField(db_index=True, max_length=16),
        ),
    ]
