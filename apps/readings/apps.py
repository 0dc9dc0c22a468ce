from django.apps import AppConfig


class ReadingsConfig(AppConfig):
    name = "apps.readings"

    def ready(self) -> None:
        from apps.houses import deletion as houses
        from apps.houses import zones
        from apps.jobs import run as jobs
        from apps.readings import deletion, rerolling, retention

        jobs.register(rerolling.KIND, rerolling.run, title="Roll up again")
        zones.register(rerolling.zone_changed)
        houses.register("days of readings", deletion.delete_readings_of)
        jobs.register(retention.KIND, retention.run, title="Drop readings")
