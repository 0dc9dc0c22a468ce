from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "apps.devices"

    def ready(self) -> None:
        from apps.devices import live
        from apps.houses import panels

        panels.register(live.PANEL)
