from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "apps.inbox"

    def ready(self) -> None:
        from apps.inbox import replaying
        from apps.jobs.run import register

        register(replaying.JOB, replaying.replay_many, title="Replay receipts")
