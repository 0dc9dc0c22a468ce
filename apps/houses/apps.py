from django.apps import AppConfig


class HousesConfig(AppConfig):
    name = "apps.houses"

    def ready(self) -> None:
        from apps.houses import deletion
        from apps.jobs import run as jobs

        jobs.register(deletion.KIND, deletion.run, title="Delete a house")
