from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "apps.analytics"

    def ready(self) -> None:
        from apps.analytics import keeping, removal
        from apps.analytics import stand_ins as items
        from apps.analytics.reports import panel
        from apps.devices import stand_ins
        from apps.houses import panels
        from apps.jobs import run as jobs
        from apps.readings import recompute
        from apps.readings.models import Namespace

        jobs.register(keeping.KIND, keeping.run_job, title="Compute an analytics item")
        jobs.register(removal.KIND, removal.run_job, title="Remove the results of an analytics item")
        recompute.register(Namespace.ANALYTICS, keeping.compute)
        panels.register(panel.PANEL)
        stand_ins.register(items.find)
