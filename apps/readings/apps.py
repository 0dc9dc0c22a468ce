from django.apps import AppConfig


class ReadingsConfig(AppConfig):
    name = "apps.readings"

    def ready(self) -> None:
        from apps.houses import deletion as houses
        from apps.readings import deletion

        houses.register("days of readings", deletion.delete_readings_of)
