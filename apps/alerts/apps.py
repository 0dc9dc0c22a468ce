from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "apps.alerts"

    def ready(self) -> None:
        from apps.alerts import panel
        from apps.houses import panels

        panels.register(panel.PANEL)
