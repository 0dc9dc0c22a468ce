"""Tasks; each calls one function."""

from celery import shared_task

from apps.meters.sets import computing


@shared_task(name=computing.TASK)
def compute_missing(source_id: int | None = None) -> None:
    """Work out what is due of the derived meters, or of one of them that something was just stored for."""
    computing.run_due(source_id)
