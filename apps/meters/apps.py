from django.apps import AppConfig


class MetersConfig(AppConfig):
    name = "apps.meters"

    def ready(self) -> None:
        from apps.alerts import detectors as alerts
        from apps.houses import deletion as houses
        from apps.houses import panels
        from apps.inbox import parsers
        from apps.jobs import run as jobs
        from apps.meters import deletion, detection, parsing, refilling
        from apps.meters.sets import computing, detectors, panel

        parsers.register(parsing.KIND, parsing.parse_log, parsing.VERSION)
        jobs.register(refilling.WAITING, refilling.run_waiting, title="Read waiting files")
        jobs.register(refilling.AGAIN, refilling.run_again, title="Read files again")
        houses.register("uploads", deletion.uploads_of)
        computing.register()
        alerts.register("loggers", detection.look)
        alerts.register("meter sets", detectors.look)
        panels.register(panel.PANEL)
