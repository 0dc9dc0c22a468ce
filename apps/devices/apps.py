from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "apps.devices"

    def ready(self) -> None:
        from apps.devices import charging, deletion, live, supply
        from apps.houses import deletion as houses
        from apps.houses import panels
        from apps.jobs import run as jobs

        panels.register(live.PANEL)
        panels.register(supply.PANEL)
        panels.register(charging.PANEL)
        jobs.register(deletion.KIND, deletion.run, title="Delete a device")
        houses.register("events", deletion.events_of)
