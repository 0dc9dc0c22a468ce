"""The password rule of our own: the demo's published password opens nothing else."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError

DEMO_PASSWORD = "wattdesk-demo"  # noqa: S105  published on purpose, and refused outside the demo


def usable(password: str | None) -> bool:
    """False for the demo's password outside the demo."""
    return settings.DEMO or password != DEMO_PASSWORD


class NotTheDemoPassword:
    """Refuse the demo's password outside the demo."""

    def validate(self, password: str, user: object = None) -> None:
        if not usable(password):
            raise ValidationError(
                "That is the demo's published password. Choose another.", code="demo_password"
            )

    def get_help_text(self) -> str:
        return "Your password can't be the demo's published one."
